//! What becomes of one card: its descriptors lie, it stalls, is pulled out, comes late, breaks off.

use super::*;
use crate::io::runtime::clock;
use crate::io::sound::tests::scripted::Script;

fn card(name: &str, direction: StreamDirection) -> (Script, Card, Instant) {
    let script = Script::new(name);
    let card = Card::open(Some(&format!("scripted:{name}")), direction, PcmRequest::default()).unwrap();
    (script, card, clock::now())
}

#[test]
fn descriptors_that_lie_are_left_alone_after_three_wakes() {
    let (script, mut card, start) = card("liar", StreamDirection::Playback);
    let mut fds = heapless::Vec::new();
    card.descriptors(&mut fds);
    assert!(fds.is_empty() && card.next_due(start).is_none(), "silent before its start");
    card.start(start);
    assert_eq!(card.next_due(start), Some(start + BEGINS_WITHIN));
    card.progress(start);
    assert_eq!(card.next_due(start), Some(start + STALLED_AFTER));
    assert!(card.no_progress(start));
    assert_eq!(card.counters.empty_wakes, 0, "others woke us");
    script.claims_ready(true);
    for _ in 0..3 {
        card.descriptors(&mut fds);
        assert!(!fds.is_empty());
        fds.clear();
        assert!(card.no_progress(start));
    }
    card.descriptors(&mut fds);
    assert!(fds.is_empty());
    assert_eq!(card.next_due(start), Some(start + Duration::from_millis(10)), "the period, by our clock");
    assert_eq!((card.take_note(), card.take_note()), (Some(CardNote::ServedByClock), None));
}

/// As dmix after its card was pulled out: EAGAIN for ever.
#[test]
fn a_card_that_stalls_is_lost_and_comes_back() {
    let (_script, mut card, start) = card("stalls", StreamDirection::Playback);
    card.start(start);
    assert!(card.no_progress(start + BEGINS_WITHIN - Duration::from_millis(1)), "a sound server begins");
    card.progress(start);
    assert!(card.no_progress(start + STALLED_AFTER - Duration::from_millis(1)));
    let late = start + STALLED_AFTER;
    assert!(!card.no_progress(late));
    assert_eq!((card.state(), card.next_due(late)), (SoundState::Lost, Some(late)), "looked for at once");
    assert_eq!(card.absence().take_missed(late), 50, "from the last frame on");
    assert!(card.revive(late));
    assert_eq!(
        (card.state(), card.counters.reopens, card.absence().take_return()),
        (SoundState::Open, 1, true)
    );
}

#[test]
fn a_lost_card_costs_a_look_a_second_and_is_back_when_something_changes() {
    let (script, mut card, start) = card("pulled", StreamDirection::Capture);
    card.start(start);
    card.progress(start);
    script.plug(false);
    card.lose(start);
    let (mut now, mut wakes) = (start, 0);
    while let Some(due) = card.next_due(now).filter(|due| *due < start + Duration::from_secs(60)) {
        now = due;
        wakes += 1;
        assert!(!card.revive(now));
    }
    assert_eq!(wakes, 60);
    script.plug(true);
    now += Duration::from_millis(300);
    assert!(!card.revive(now), "not before its time");
    card.look_again(now);
    assert!(card.revive(now));
    assert_eq!(
        card.absence().take_missed(now + Duration::from_secs(9)),
        5_930,
        "the time of the absence, no more"
    );
    assert!(card.absence().take_return() && !card.absence().take_return());
}

#[test]
fn a_card_that_is_not_there_yet_is_waited_for() {
    let script = Script::new("late");
    script.plug(false);
    let open = |waits| {
        Card::open(
            Some("scripted:late"),
            StreamDirection::Capture,
            PcmRequest { waits, ..PcmRequest::default() },
        )
    };
    let error = open(false).expect_err("asked for now");
    let (mut card, start) = (open(true).unwrap(), clock::now());
    assert_eq!((card.state(), card.openings(), card.next_due(start)), (SoundState::Lost, 0, None));
    assert_eq!((card.take_note(), card.take_note()), (Some(CardNote::Awaited(error)), None));
    card.start(start);
    assert_eq!(card.next_due(start), Some(start), "looked for at once");
    assert!(!card.revive(start));
    script.plug(true);
    assert!(card.revive(start + RETRY_EVERY));
    assert_eq!((card.state(), card.openings(), card.name()), (SoundState::Open, 1, "scripted:late"));
    assert_eq!(card.absence().take_missed(start + RETRY_EVERY), 100, "RTP time continues");
}

#[test]
fn three_xruns_in_ten_seconds_lengthen_the_period() {
    let (script, mut card, start) = card("xruns", StreamDirection::Playback);
    card.start(start);
    let mut at_s = |seconds| {
        let at = start + Duration::from_secs(seconds);
        card.progress(at);
        card.xrun(at)
    };
    assert_eq!([at_s(0), at_s(9), at_s(18), at_s(27)], [false; 4], "now and then is normal");
    assert!(!at_s(30) && at_s(31));
    assert!(!at_s(32) && !at_s(33) && at_s(34) && !at_s(35) && !at_s(35) && !at_s(35), "40 ms is the last");
    let periods: Vec<u32> = script.requests().iter().map(|request| request.buffering.period_ms).collect();
    assert_eq!(periods, [10, 20, 40]);
    assert_eq!(card.take_note(), Some(CardNote::PeriodRaised { period_ms: 20 }));
    assert_eq!((card.counters.xruns, card.state(), card.openings()), (12, SoundState::Open, 3));
}
