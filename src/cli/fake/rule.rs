//! [`Rule`]: how a platform judges an answer, when it sends again, and when it gives up for good. Pure.

use std::{ops::RangeInclusive, time::Duration};

/// What a platform does about answers.
#[derive(Debug)]
pub(super) struct Rule {
    /// How long it waits for one.
    pub(super) timeout: Duration,
    /// Which count as success.
    success: RangeInclusive<u16>,
    /// Before each further try of the same delivery.
    pub(super) waits: Vec<Duration>,
    /// Failures in a row after which it stops sending altogether.
    failures_max: Option<u32>,
}

const HOUR: Duration = Duration::from_secs(3_600);

impl Rule {
    /// WooCommerce: one try. Redirects count as success although it follows none; with the seventh failure in a row the
    /// webhook is disabled.
    pub(super) fn woocommerce() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            success: 200..=302,
            waits: Vec::new(),
            failures_max: Some(7),
        }
    }

    /// Shopify: eight more tries, each wait twice the one before, four hours in all; after eight failures in a row the
    /// subscription is removed.
    pub(super) fn shopify() -> Self {
        let first = 4 * HOUR / 255;
        let waits = (0..8).map(|n| first * 2_u32.pow(n)).collect();
        Self { timeout: Duration::from_secs(5), success: 200..=299, waits, failures_max: Some(8) }
    }

    /// Meta: at once, then ever more rarely for seven days. How rarely it does not say; this is twice as long each time, and
    /// twice a day in the end.
    pub(super) fn meta() -> Self {
        let mut waits = vec![Duration::ZERO, Duration::from_secs(1)];
        while waits.iter().sum::<Duration>() < 7 * 24 * HOUR {
            let last = waits.last().copied().unwrap_or_default();
            waits.push((last * 2).min(12 * HOUR));
        }
        Self { timeout: Duration::from_secs(10), success: 200..=200, waits, failures_max: None }
    }

    /// Whether this status is success.
    pub(super) fn is_success(&self, status: u16) -> bool {
        self.success.contains(&status)
    }

    /// Whether so many failures in a row are the end.
    pub(super) fn ends_after(&self, failures: u32) -> bool {
        self.failures_max.is_some_and(|max| failures >= max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_sends_again_for_as_long_as_it_says() {
        let total = |rule: Rule| rule.waits.iter().sum::<Duration>();
        assert_eq!(total(Rule::woocommerce()), Duration::ZERO);
        let shopify = total(Rule::shopify());
        assert!(shopify.abs_diff(4 * HOUR) < Duration::from_secs(1), "{shopify:?}");
        let meta = total(Rule::meta());
        assert!(7 * 24 * HOUR <= meta && meta < 8 * 24 * HOUR, "{meta:?}");
    }

    #[test]
    fn an_answer_is_judged_as_each_platform_judges_it() {
        let (woocommerce, shopify, meta) = (Rule::woocommerce(), Rule::shopify(), Rule::meta());
        for (status, expected) in [
            (200, (true, true, true)),
            (202, (true, true, false)),
            (302, (true, false, false)),
            (303, (false, false, false)),
            (404, (false, false, false)),
            (503, (false, false, false)),
        ] {
            let judged =
                (woocommerce.is_success(status), shopify.is_success(status), meta.is_success(status));
            assert_eq!(judged, expected, "{status}");
        }
        assert!(!woocommerce.ends_after(6) && woocommerce.ends_after(7) && !meta.ends_after(1_000));
    }
}
