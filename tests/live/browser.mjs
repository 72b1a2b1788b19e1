// A browser with the official JavaScript SDK, steered by lines of JSON: started by browser.py.
//
//   stdin  {"id": 1, "code": "return room.numParticipants"}  ─► run in the page, may await
//   stdout {"id": 1, "value": …} or {"id": 1, "error": "…"}  ◄─ what it gave
//   stdout {"seen": "speakers", …}                           ◄─ what the page noted by itself, see browser.html
//   stdin  {"id": 2, "reload": true}                         ─► a fresh page: nothing of the last room is left
//   stdin  {"id": 3, "tap": "#talk", "hold_ms": 0}           ─► a finger, held down so long
//   stdin  {"id": 4, "screenshot": "page.png"}
//
// Started with the address of another page, it opens that one as a phone would.
//
// Nothing leaves this machine: the page, the SDK and the LiveKit server are all on loopback.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [packages, executablePath, address, ...more] = process.argv.slice(2);
const { chromium } = createRequire(`${packages}/node_modules/`)("playwright-core");

const files = {
  "/": ["text/html", readFileSync(new URL("browser.html", import.meta.url))],
  "/livekit-client.js": [
    "text/javascript",
    readFileSync(`${packages}/node_modules/livekit-client/dist/livekit-client.umd.js`),
  ],
};
const server = createServer((request, response) => {
  const [type, body] = files[request.url] ?? ["text/plain", null];
  response.writeHead(body ? 200 : 404, { "Content-Type": type }).end(body ?? "");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    // Candidates of loopback with their address: a name of mDNS would be of no use to the server.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    ...more,
  ],
});
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const phone = { viewport: { width: 390, height: 760 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const page = await browser.newPage(address ? phone : {});
page.on("pageerror", (error) => say({ seen: "page_error", text: String(error) }));
await page.exposeFunction("note", (seen, what) => say({ seen, ...what }));
await page.goto(address || `http://127.0.0.1:${server.address().port}/`);
say({ seen: "ready" });

// The code of a test is a function's body; `argument` is what it brings along.
const run = (code, argument) =>
  page.evaluate(([code, argument]) => new (async () => {}).constructor("argument", code)(argument), [code, argument]);

// A finger on the middle of an element, as the browser itself reports one.
async function tap(selector, holdMs) {
  const { x, y, width, height } = await page.locator(selector).boundingBox();
  const touch = await page.context().newCDPSession(page);
  const point = { x: x + width / 2, y: y + height / 2 };
  await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [point] });
  await new Promise((resolve) => setTimeout(resolve, holdMs));
  await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
}

const acts = {
  reload: async () => void (await page.reload()),
  tap: ({ tap: selector, hold_ms }) => tap(selector, hold_ms),
  screenshot: async ({ screenshot }) => void (await page.screenshot({ path: screenshot, scale: "css" })),
  code: ({ code, argument }) => run(code, argument),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...what } = JSON.parse(line);
  const act = Object.keys(acts).find((name) => name in what);
  // Not awaited: a call that takes long does not hold up the next one.
  const done = acts[act](what);
  done
    .then((value) => say({ id, value: value ?? null }))
    .catch((error) => say({ id, error: String(error) }));
}
await browser.close();
server.close();
