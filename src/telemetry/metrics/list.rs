//! [`List`]: how a figure gets its name, its help and its labels. Which there are stands beside it.

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::labels::{ByTransport, Labelled};

pub(super) static METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Makes figures, each with its name and its help.
pub(super) struct List<'a>(pub(super) &'a PrometheusRecorder);

impl List<'_> {
    pub(super) fn key(name: &'static str, labels: &[(&'static str, &'static str)]) -> Key {
        let labels: Vec<_> = labels.iter().map(|(k, v)| Label::from_static_parts(k, v)).collect();
        Key::from_parts(name, labels)
    }

    pub(super) fn describe_counter(&self, name: &'static str, help: &'static str) {
        self.0.describe_counter(KeyName::from(name), None, SharedString::from(help));
    }

    pub(super) fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        self.describe_counter(name, help);
        self.0.register_counter(&Self::key(name, &[]), &METADATA)
    }

    pub(super) fn counters(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &'static str)],
    ) -> ByTransport<Counter> {
        self.describe_counter(name, help);
        ByTransport::make(|transport| {
            let labels = [&[("transport", transport)], labels].concat();
            self.0.register_counter(&Self::key(name, &labels), &METADATA)
        })
    }

    pub(super) fn labelled(
        &self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: &[&'static str],
    ) -> Labelled {
        self.labelled_beside(name, help, &[], label, values)
    }

    /// One counter for each value of a label, beside labels that all of them share.
    pub(super) fn labelled_beside(
        &self,
        name: &'static str,
        help: &'static str,
        shared: &[(&'static str, &'static str)],
        label: &'static str,
        values: &[&'static str],
    ) -> Labelled {
        self.describe_counter(name, help);
        let counter = |value: &&'static str| {
            let key = Self::key(name, &[shared, &[(label, *value)]].concat());
            (*value, self.0.register_counter(&key, &METADATA))
        };
        Labelled(values.iter().map(counter).collect())
    }

    pub(super) fn delivery_errors(&self, reason: &'static str) -> ByTransport<Counter> {
        let help = "Batches that could not be queued to a connection, by reason";
        self.counters("shelfcast_delivery_errors_total", help, &[("reason", reason)])
    }

    pub(super) fn gauge(&self, name: &'static str, help: &'static str) -> Gauge {
        self.gauge_beside(name, help, &[])
    }

    pub(super) fn gauge_beside(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &'static str)],
    ) -> Gauge {
        self.0.describe_gauge(KeyName::from(name), None, SharedString::from(help));
        self.0.register_gauge(&Self::key(name, labels), &METADATA)
    }

    pub(super) fn gauges(&self, name: &'static str, help: &'static str) -> ByTransport<Gauge> {
        ByTransport::make(|transport| self.gauge_beside(name, help, &[("transport", transport)]))
    }

    pub(super) fn histogram(&self, name: &'static str, help: &'static str, unit: Unit) -> Histogram {
        self.0.describe_histogram(KeyName::from(name), Some(unit), SharedString::from(help));
        self.0.register_histogram(&Self::key(name, &[]), &METADATA)
    }
}
