//! Limits that change, pause and drain while callers hold, wait and give up.

use super::*;
use crate::Reservation;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// golang x/time/rate: queued waiters keep their old times there; here all are re-timed, faster and slower.
#[test]
fn those_who_wait_already_are_retimed() {
    for rate in [10_000, 100] {
        let (limiter, clock) = limiter(Rate::per_second(250), 1, LEASE);
        let mut world = World::new(&limiter, &clock);
        assert!(world.try_acquire(0, 1));
        (0..3).for_each(|_| world.arrive(1, None));
        world.settle();
        // A quarter of the head's token comes by the old rate in 1 ms; three quarters at the new one, from 1 ms on.
        clock.set(millis(1));
        limiter.change(Rate::per_second(rate), 1).unwrap();
        world.finish();
        let micros: Vec<_> = world.admitted[1..].iter().map(|&(at, _)| at / 1_000).collect();
        let (first, each) = (1_000 + 750_000 / u128::from(rate), 1_000_000 / u128::from(rate));
        assert_eq!(micros, [first, first + each, first + 2 * each]);
    }
}

#[test]
fn who_waits_for_more_than_the_new_burst_is_told_and_holds_up_nobody() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 10));
    world.arrive(8, None);
    world.arrive(2, None);
    world.settle();
    limiter.change(Rate::per_second(1_000), 4).unwrap();
    clock.set(millis(2));
    assert_eq!(world.poll(1), Some(Ok(())), "although the one before has not run yet");
    assert_eq!(world.poll(0), Some(Err(Refused::ExceedsBurst { asked: 8, burst: 4 })));
    assert_eq!(limiter.waiters(), 0);
}

#[test]
fn a_waiter_turned_away_and_dropped_gives_nothing_back() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 10));
    world.arrive(8, None);
    world.settle();
    limiter.change(Rate::per_second(1_000), 4).unwrap();
    world.waiters.clear();
    clock.advance(Duration::from_secs(1));
    assert_eq!(limiter.available(), 4);
}

/// bucket4j#45: a service that is told to slow down while it runs hot; what its leases held is counted.
#[test]
fn leases_end_at_a_change() {
    let (limiter, clock) = limiter(Rate::per_second(1_000_000), 1_000, LEASE);
    for _ in 0..10 {
        clock.advance(Duration::from_nanos(100));
        limiter.try_acquire_at(0, 1).unwrap();
    }
    assert!(limiter.lock().ledger.any_outstanding());
    limiter.change(Rate::per_day(1), 5).unwrap();
    let taken = (0..100).filter(|_| limiter.try_acquire_at(0, 1).is_ok()).count();
    assert_eq!(taken, 5);
}

#[test]
fn a_senseless_change_changes_nothing() {
    let (limiter, _) = limiter(Rate::per_second(1_000), 10, LEASE);
    assert_eq!(limiter.change(Rate::per_second(1_000), 0), Err(InvalidLimiter::NoBurst));
    let never = Rate::per_second(0);
    assert_eq!(limiter.change(never, 1), Err(InvalidLimiter::Rate(never)));
    assert_eq!((limiter.burst(), limiter.available()), (10, 10));
}

#[test]
fn a_pause_stops_newcomers_and_waiters_until_its_end() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 10));
    world.arrive(1, None);
    world.settle();
    limiter.pause_until(millis(50));
    assert_eq!(limiter.try_acquire(1), Err(Refused::Later { retry_after: millis(50) }));
    assert!(matches!(limiter.try_reserve(1), Err(Refused::Later { .. })));
    world.arrive(10, Some(millis(50)));
    world.arrive(2, None);
    assert_eq!(world.poll(1), Some(Err(Refused::Later { retry_after: millis(51) })), "behind the one who waits");
    world.finish();
    let times: Vec<_> = world.admitted[1..].iter().map(|&(at, n)| (at / 1_000_000, n)).collect();
    assert_eq!(times, [(50, 1), (50, 2)], "the bucket filled meanwhile");
    assert_eq!(limiter.available(), 7);
}

#[test]
fn a_pause_ends_early_and_can_be_replaced_by_another() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    let mut world = World::new(&limiter, &clock);
    limiter.pause(Duration::MAX);
    world.arrive(3, None);
    world.settle();
    assert_eq!((limiter.available(), limiter.waiters()), (0, 1));
    limiter.pause(millis(5));
    world.settle();
    assert_eq!(clock.next_due(), Some(millis(5)), "re-timed");
    clock.set(millis(2));
    limiter.resume();
    world.settle();
    assert_eq!(world.admitted, [(2_000_000, 3)]);
}

#[test]
fn a_server_that_knows_of_fewer_tokens_is_believed() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    limiter.drain_to(3);
    assert_eq!(limiter.available(), 3);
    limiter.drain_to(7);
    assert_eq!(limiter.available(), 3, "it never adds");
    clock.advance(millis(7));
    assert_eq!(limiter.available(), 10);
}

/// What a random history does besides calling and waiting.
#[derive(Clone, Debug)]
enum Act {
    Plain(Op),
    Change(u64, u64),
    Pause(u64),
    Resume,
    Reserve(u64),
    Commit(usize, u64),
    Release(usize),
    Drain(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => op(20).prop_map(Act::Plain),
        2 => (1u64..2_000_000, 1u64..40).prop_map(|(rate, burst)| Act::Change(rate, burst)),
        1 => (0u64..5_000_000).prop_map(Act::Pause),
        1 => Just(Act::Resume),
        2 => (1u64..20).prop_map(Act::Reserve),
        1 => (any::<usize>(), 0u64..20).prop_map(|(index, n)| Act::Commit(index, n)),
        1 => any::<usize>().prop_map(Act::Release),
        1 => (0u64..40).prop_map(Act::Drain),
    ]
}

/// What was let through and what was allowed, while the limit changes.
struct Ledger {
    /// (time, tokens per second), in order.
    rates: Vec<(u128, u64)>,
    /// For each admission: the most the bucket could hold at that time.
    caps: Vec<u64>,
}

impl Ledger {
    /// Tokens times 10^9 that came between two times.
    fn brought(&self, from: u128, to: u128) -> u128 {
        let ends = self.rates.iter().skip(1).map(|&(at, _)| at).chain([u128::MAX]);
        let spans = self.rates.iter().zip(ends);
        spans.map(|(&(at, rate), end)| end.min(to).saturating_sub(at.max(from)) * u128::from(rate)).sum()
    }

    fn check(&self, admitted: &[(u128, u64)]) {
        for (i, &(from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for &(to, n) in &admitted[i..] {
                sum += u128::from(n) * 1_000_000_000;
                let bound = u128::from(self.caps[i]) * 1_000_000_000 + self.brought(from, to);
                assert!(sum <= bound, "{sum} of {bound} between {from} and {to}");
            }
        }
    }

    /// Notes the bucket's size for what was admitted just now: its burst, or what was promised under a larger one.
    fn note(&mut self, world: &World<'_>) {
        let new = &world.admitted[self.caps.len()..];
        let core = world.limiter.lock();
        let promised = core.bucket.aside() + new.iter().map(|&(_, n)| n).sum::<u64>();
        self.caps.extend(new.iter().map(|_| promised.max(core.bucket.burst())));
    }
}

fn run<'a>(act: &Act, world: &mut World<'a>, held: &mut Vec<Reservation<'a, ManualClock>>, rates: &mut Ledger) {
    let limiter = world.limiter;
    let count = held.len().max(1);
    match *act {
        Act::Plain(ref op) => apply(world, op),
        Act::Change(rate, burst) => {
            limiter.change(Rate::per_second(rate), burst).unwrap();
            rates.rates.push((world.clock.now().as_nanos(), rate));
        }
        Act::Pause(nanos) => limiter.pause(Duration::from_nanos(nanos)),
        Act::Resume => limiter.resume(),
        Act::Reserve(n) => held.extend(limiter.try_reserve(n)),
        Act::Commit(index, n) if index % count < held.len() => {
            let reservation = held.swap_remove(index % count);
            let spent = n.min(reservation.tokens());
            reservation.commit_part(n);
            world.admit(spent);
        }
        Act::Release(index) if index % count < held.len() => drop(held.swap_remove(index % count)),
        Act::Commit(..) | Act::Release(_) => {}
        Act::Drain(level) => limiter.drain_to(level),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// The bound holds across changes of rate and burst, pauses and reservations; nobody is forgotten, nothing is lost.
    #[test]
    fn never_over_the_bound_while_the_limit_changes(acts in prop::collection::vec(act(), 1..120)) {
        let (limiter, clock) = limiter(Rate::per_second(1_000), 20, LEASE);
        let mut world = World::new(&limiter, &clock);
        let mut rates = Ledger { rates: vec![(0, 1_000)], caps: vec![] };
        let mut held = vec![];
        for act in &acts {
            // One admission at a time, so that each is noted with the bucket's size of its own instant.
            run(act, &mut world, &mut held, &mut rates);
            rates.note(&world);
        }
        held.clear();
        world.finish();
        rates.note(&world);
        rates.check(&world.admitted);

        limiter.available();
        let burst = limiter.burst();
        clock.advance(Duration::from_secs(3_600));
        prop_assert_eq!(limiter.available(), burst, "a token was lost");
        prop_assert!(world.try_acquire(0, burst));
    }
}
