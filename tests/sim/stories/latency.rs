//! From the mouth of one to the ear of the other.

use crate::card::{HEARD_DBFS, Sound, level_dbfs};
use crate::client::Setup;
use crate::link::Quality;
use crate::world::World;
use std::time::Instant;

/// Words spoken, each from silence.
const WORDS: usize = 20;

/// Codec, packet and buffer; the simulated cards have no buffers of their own, which a real pair adds to this.
const P95_MS_MAX: f64 = 80.0;

#[test]
fn a_word_is_heard_soon() {
    let mut world = World::new();
    let near = Quality::delay(0.1);
    let door = world.enter(Setup { up: near, ..Setup::talker("door", Sound::Silence) });
    let hall = world.enter(Setup { down: near, ..Setup::listener("hall") });
    world.run_ms(5000);
    let mut delays_ms: Vec<f64> = (0..WORDS)
        .map(|word| {
            // Not in step with packets or blocks.
            world.run_ms(1000 + 7 * word as u64);
            let spoken = world.clock.now();
            world.client(door).hear(Sound::Tone(400.0));
            world.run_ms(1000);
            world.client(door).hear(Sound::Silence);
            let heard = onset(&world, hall, spoken);
            heard.expect("the word is heard").duration_since(spoken).as_secs_f64() * 1000.0
        })
        .collect();
    delays_ms.sort_by(f64::total_cmp);
    let (mean, p95) = (delays_ms.iter().sum::<f64>() / WORDS as f64, delays_ms[WORDS * 95 / 100 - 1]);
    println!("mouth to ear without cards: mean {mean:.1} ms, p95 {p95:.1} ms");
    assert!(p95 <= P95_MS_MAX, "p95 {p95} ms");
}

fn onset(world: &World, listener: usize, spoken: Instant) -> Option<Instant> {
    let later = world.lately(listener, 1000).iter().filter(|played| played.at >= spoken);
    later
        .into_iter()
        .find(|played| level_dbfs(std::slice::from_ref(played)) > HEARD_DBFS)
        .map(|played| played.at)
}
