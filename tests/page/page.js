// A page to talk to a box: one participant of a LiveKit room, whose partner is the kinglet named in /config.json.
//
//   room events ─► show() ─► the line of state, the buttons          taps ─► setMicrophoneEnabled, performRpc
//   its track   ─► audio element (heard)  and  meter ─► --level      own track ─► meter ─► --own
//
// What is shown is always worked out from the room as it is, never kept beside it.
const { Room, RoomEvent, Track } = LivekitClient;

const HOLD_MS = 350;
const DOOR_SHOWN_MS = 4000;
const QUIET_DB = -55;
const LOUD_DB = -12;

const element = (id) => document.getElementById(id);
const room = new Room({ adaptiveStream: false, dynacast: false });
const sound = new AudioContext({ sampleRate: 48000 });
const meters = new Map();
let config = null;

const box = () => [...room.remoteParticipants.values()].find((one) => one.identity === config.box);
const microphoneOf = (one) => one?.getTrackPublication(Track.Source.Microphone);

function state() {
  if (room.state === "connecting" || !config) return ["connecting", "Connecting…"];
  if (room.state === "reconnecting" || room.state === "signalReconnecting") return ["connecting", "Looking for the network…"];
  if (room.state !== "connected") return ["away", "Not connected. Reload to try again."];
  if (!box()) return ["away", "Waiting for the box"];
  if (microphoneOf(box())?.isMuted ?? true) return ["silent", "Here, its microphone is off"];
  return box().isSpeaking ? ["speaking", "Speaking"] : ["here", "Here"];
}

function show() {
  const [name, words] = state();
  const isHere = Boolean(config && box());
  const isTalking = room.localParticipant.isMicrophoneEnabled;
  document.body.dataset.state = name;
  if (element("state").textContent !== words) element("state").textContent = words;
  element("name").textContent = box()?.name || config?.box || "Door";
  element("talk").disabled = room.state !== "connected";
  element("talk").setAttribute("aria-pressed", isTalking);
  element("talk").querySelector("span").textContent = isTalking ? "Talking. Tap to stop" : "Talk";
  element("open").hidden = !config?.door;
  element("open").disabled = !isHere;
}

function tell(words, isBad = false) {
  element("news").textContent = words;
  element("news").className = isBad ? "bad" : "";
}

// ---- what we hear and say ---------------------------------------------------------------------

// 0 to 1 of how loud a track is now, as a custom property of the page.
function meter(name, track) {
  const ear = sound.createAnalyser();
  ear.fftSize = 1024;
  const source = sound.createMediaStreamSource(new MediaStream([track.mediaStreamTrack]));
  source.connect(ear);
  meters.set(name, { ear, source, samples: new Float32Array(ear.fftSize), level: 0 });
}

function drawMeters() {
  for (const [name, one] of meters) {
    one.ear.getFloatTimeDomainData(one.samples);
    const power = one.samples.reduce((sum, sample) => sum + sample * sample, 0) / one.samples.length;
    const db = 10 * Math.log10(power + 1e-12);
    const now = Math.min(1, Math.max(0, (db - QUIET_DB) / (LOUD_DB - QUIET_DB)));
    // Up at once, down slowly, as meters do.
    one.level = Math.max(now, one.level * 0.88);
    document.documentElement.style.setProperty(name, one.level.toFixed(3));
  }
  requestAnimationFrame(drawMeters);
}

function hear(track, participant) {
  if (track.kind !== Track.Kind.Audio) return;
  const player = track.attach();
  player.muted = element("mute").getAttribute("aria-pressed") === "true";
  document.body.append(player);
  if (participant.identity === config.box) meter("--level", track);
}

function unhear(track, _, participant) {
  track.detach().forEach((player) => player.remove());
  if (participant.identity !== config.box) return;
  meters.delete("--level");
  document.documentElement.style.setProperty("--level", 0);
}

async function setTalking(isTalking) {
  await wake();
  try {
    await room.localParticipant.setMicrophoneEnabled(isTalking, config.capture);
    const own = microphoneOf(room.localParticipant)?.track;
    if (isTalking && own) meter("--own", own);
    if (!isTalking) {
      meters.delete("--own");
      document.documentElement.style.setProperty("--own", 0);
    }
    tell("");
  } catch (error) {
    tell(error.name === "NotAllowedError" ? "The browser does not give us a microphone." : `No microphone: ${error.message}`, true);
  }
  show();
}

// Browsers play nothing before the first touch.
async function wake() {
  if (sound.state !== "running") await sound.resume();
  if (!room.canPlaybackAudio) await room.startAudio();
}

// ---- buttons ----------------------------------------------------------------------------------

// A tap switches; a press that lasts is push-to-talk and ends when it ends.
function wireTalk(button) {
  let pressed_ms = 0;
  let wasTalking = false;
  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture(event.pointerId);
    pressed_ms = event.timeStamp;
    wasTalking = room.localParticipant.isMicrophoneEnabled;
    if (!wasTalking) setTalking(true);
  });
  const release = (event) => {
    if (wasTalking || event.timeStamp - pressed_ms >= HOLD_MS) setTalking(false);
  };
  button.addEventListener("pointerup", release);
  button.addEventListener("pointercancel", release);
  // From the keyboard there is no pointer.
  button.addEventListener("click", (event) => {
    if (event.detail === 0) setTalking(!room.localParticipant.isMicrophoneEnabled);
  });
}

function toggleMute() {
  const button = element("mute");
  const isMuted = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", isMuted);
  button.querySelector("span").textContent = isMuted ? "Muted" : "Mute";
  document.querySelectorAll("audio").forEach((player) => { player.muted = isMuted; });
  wake();
}

async function openDoor() {
  const button = element("open");
  button.disabled = true;
  tell("Asking…");
  try {
    const answer = await room.localParticipant.performRpc({ destinationIdentity: config.box, method: "open", payload: "" });
    button.classList.add("done");
    button.querySelector("span").textContent = "Open";
    tell(answer.trim() || "The door is open.");
    setTimeout(() => {
      button.classList.remove("done");
      button.querySelector("span").textContent = "Open door";
      tell("");
    }, DOOR_SHOWN_MS);
  } catch (error) {
    tell(`The door stays shut: ${error.message}`, true);
  }
  show();
}

// ---- start ------------------------------------------------------------------------------------

function drawGrille(svg) {
  for (const [radius, count] of [[0, 1], [15, 6], [30, 12], [44, 18]]) {
    for (let index = 0; index < count; index++) {
      const angle = (2 * Math.PI * index) / count;
      const hole = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      hole.setAttribute("cx", radius * Math.sin(angle));
      hole.setAttribute("cy", radius * Math.cos(angle));
      hole.setAttribute("r", 4);
      svg.append(hole);
    }
  }
}

async function start() {
  drawGrille(document.querySelector(".grille"));
  wireTalk(element("talk"));
  element("mute").addEventListener("click", toggleMute);
  element("open").addEventListener("click", openDoor);
  room.on(RoomEvent.TrackSubscribed, (track, _, participant) => hear(track, participant)).on(RoomEvent.TrackUnsubscribed, unhear);
  const shown = [
    "ConnectionStateChanged", "ParticipantConnected", "ParticipantDisconnected", "TrackMuted", "TrackUnmuted",
    "TrackSubscribed", "TrackUnsubscribed", "ActiveSpeakersChanged", "ParticipantNameChanged", "LocalTrackPublished",
  ];
  for (const event of shown) room.on(RoomEvent[event], show);
  room.on(RoomEvent.AudioPlaybackStatusChanged, () => { if (!room.canPlaybackAudio) tell("Tap anywhere to hear."); });
  document.addEventListener("pointerdown", () => { if (config) wake(); });
  drawMeters();
  config = await (await fetch("/config.json")).json();
  await room.connect(config.url, config.token);
  show();
}

start().catch((error) => { show(); tell(error.message, true); });
