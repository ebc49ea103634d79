//! The faults of the provider by name, each with a rate, and the draw that picks one per request.
//!
//! A draw is a pure function of (seed, request number): a failing run repeats from its seed as far
//! as the requests arrive in the same order. At most one fault hits a request, so the rates are shares
//! of all requests and may not add up to more than one. A decline is no fault but an answer: it is
//! drawn from (seed, key), so that every retry of a key meets the same one.

use std::{str::FromStr, time::Duration};

use crate::ConfigError;

/// Which faults the simulated provider shows and how often, as shares of all requests.
///
/// ```
/// use orders_payment::simulator::Faults;
/// let by_name: Faults = "timeout=0.05,declined=0.1".parse()?;
/// let by_field = Faults { timeout: 0.05, declined: 0.1, ..Faults::default() };
/// assert_eq!(by_name, by_field);
/// # Ok::<(), orders_payment::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Answers 500, half of the time after the charge was recorded.
    pub error_500: f64,
    /// Answers 429 with a `Retry-After`, before anything is recorded.
    pub throttled_429: f64,
    /// Leaves the request unanswered for [`hang_for`](Self::hang_for), half of the time after the
    /// charge was recorded.
    pub timeout: f64,
    /// Closes the connection instead of answering, half of the time after the charge was recorded.
    pub reset: f64,
    /// Answers correctly, but [`slow_by`](Self::slow_by) later.
    pub slow: f64,
    /// Share of the *keys* that are declined.
    pub declined: f64,
    /// How much later a slow answer comes.
    pub slow_by: Duration,
    /// How long a request that is to time out is left unanswered; then it is answered late.
    pub hang_for: Duration,
    /// What a 429 asks the client to wait.
    pub retry_after: Duration,
}

impl Default for Faults {
    /// No fault at all; 50 ms slow, 30 s silent, 10 ms of `Retry-After` once a rate is set.
    fn default() -> Self {
        Self {
            error_500: 0.0,
            throttled_429: 0.0,
            timeout: 0.0,
            reset: 0.0,
            slow: 0.0,
            declined: 0.0,
            slow_by: Duration::from_millis(50),
            hang_for: Duration::from_secs(30),
            retry_after: Duration::from_millis(10),
        }
    }
}

/// Whether a fault strikes before or after the charge is in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Error500(When),
    Throttled,
    Timeout(When),
    Reset(When),
    Slow,
}

impl Faults {
    /// The names under which [`set`](Self::set) and `parse` know the rates.
    pub const NAMES: [&'static str; 6] = ["error_500", "throttled_429", "timeout", "reset", "slow", "declined"];

    /// Sets the rate of a fault by its name.
    ///
    /// # Errors
    /// [`ConfigError::FaultText`] if there is no fault of that name.
    pub fn set(&mut self, name: &str, rate: f64) -> Result<(), ConfigError> {
        let place = Self::NAMES.iter().position(|known| *known == name);
        let place = place.ok_or_else(|| ConfigError::FaultText(name.to_owned()))?;
        *self.rates_mut()[place] = rate;
        Ok(())
    }

    /// Checks that each rate lies in 0..=1 and that those of the faults add up to at most one.
    ///
    /// # Errors
    /// [`ConfigError::FaultRate`] or [`ConfigError::FaultSum`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut copy = *self;
        let rates = copy.rates_mut().map(|rate| *rate);
        if let Some((&name, &rate)) = Self::NAMES.iter().zip(&rates).find(|(_, r)| !(0.0..=1.0).contains(*r)) {
            return Err(ConfigError::FaultRate { name, rate });
        }
        let sum: f64 = rates.iter().sum::<f64>() - self.declined;
        // Ten rates of 0.1 may add up to a hair above one.
        if sum > 1.0 + 1e-9 { Err(ConfigError::FaultSum(sum)) } else { Ok(()) }
    }

    fn rates_mut(&mut self) -> [&mut f64; 6] {
        [
            &mut self.error_500,
            &mut self.throttled_429,
            &mut self.timeout,
            &mut self.reset,
            &mut self.slow,
            &mut self.declined,
        ]
    }

    /// The fault of request number `request`.
    pub(super) fn draw(&self, seed: u64, request: u64) -> Fault {
        let mut rng = fastrand::Rng::with_seed(mix(seed ^ mix(request)));
        let when = if rng.bool() { When::Before } else { When::After };
        let mut roll = rng.f64();
        let shares = [
            (self.error_500, Fault::Error500(when)),
            (self.throttled_429, Fault::Throttled),
            (self.timeout, Fault::Timeout(when)),
            (self.reset, Fault::Reset(when)),
            (self.slow, Fault::Slow),
        ];
        for (share, fault) in shares {
            if roll < share {
                return fault;
            }
            roll -= share;
        }
        Fault::None
    }

    /// Whether the card behind `key` is declined.
    pub(super) fn declines(&self, seed: u64, key: &str) -> bool {
        let hash = key.bytes().fold(seed, |hash, byte| mix(hash ^ u64::from(byte)));
        fastrand::Rng::with_seed(hash).f64() < self.declined
    }
}

impl FromStr for Faults {
    type Err = ConfigError;

    /// Reads `name=rate` pairs set apart by commas; what is not named stays zero.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut faults = Self::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let wrong = || ConfigError::FaultText(pair.to_owned());
            let (name, rate) = pair.split_once('=').ok_or_else(wrong)?;
            faults.set(name.trim(), rate.trim().parse().map_err(|_| wrong())?)?;
        }
        faults.check()?;
        Ok(faults)
    }
}

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014): neighbouring numbers end far apart.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_faults_and_another_seed_others() {
        let faults = Faults { error_500: 0.3, timeout: 0.3, ..Faults::default() };
        let draws = |seed| (0..200).map(|n| faults.draw(seed, n)).collect::<Vec<_>>();
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn each_fault_comes_as_often_as_its_rate_says() {
        let faults =
            Faults { error_500: 0.1, throttled_429: 0.2, timeout: 0.3, reset: 0.1, slow: 0.2, ..Faults::default() };
        let draws: Vec<_> = (0..100_000).map(|n| faults.draw(7, n)).collect();
        let share = |wanted: fn(&Fault) -> bool| draws.iter().filter(|f| wanted(f)).count() as f64 / draws.len() as f64;
        type Row = (fn(&Fault) -> bool, f64);
        let table: [Row; 6] = [
            (|f| matches!(f, Fault::Error500(_)), 0.1),
            (|f| matches!(f, Fault::Throttled), 0.2),
            (|f| matches!(f, Fault::Timeout(_)), 0.3),
            (|f| matches!(f, Fault::Timeout(When::After)), 0.15),
            (|f| matches!(f, Fault::Reset(_)), 0.1),
            (|f| matches!(f, Fault::None), 0.1),
        ];
        for (wanted, rate) in table {
            assert!((share(wanted) - rate).abs() < 0.01, "{} against {rate}", share(wanted));
        }
    }

    #[test]
    fn a_decline_belongs_to_the_key() {
        let faults = Faults { declined: 0.25, ..Faults::default() };
        let declined = (0..10_000).filter(|n| faults.declines(3, &n.to_string())).count();
        assert!((2300..2700).contains(&declined), "{declined}");
        assert_eq!(faults.declines(3, "order"), faults.declines(3, "order"));
    }

    #[test]
    fn bad_text_and_bad_rates_name_the_fault() {
        let wrong = |text: &str| text.parse::<Faults>().unwrap_err();
        assert_eq!(wrong("slow"), ConfigError::FaultText("slow".into()));
        assert_eq!(wrong("slow=x"), ConfigError::FaultText("slow=x".into()));
        assert_eq!(wrong("fast=0.1"), ConfigError::FaultText("fast".into()));
        assert_eq!(wrong("slow=1.5"), ConfigError::FaultRate { name: "slow", rate: 1.5 });
        assert!(matches!(wrong("slow=0.6,reset=0.6"), ConfigError::FaultSum(_)));
        assert_eq!("".parse::<Faults>(), Ok(Faults::default()));
    }
}
