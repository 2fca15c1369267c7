//! Calls of the API, counted as they end.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tonic::Code;

use crate::api::{Record, Sink, rule};

/// What calls of no method of ours are counted under.
const OTHER: &str = "other";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    method: &'static str,
    code: String,
}

/// The calls so far. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Calls(Family<Call, Counter>);

impl Calls {
    pub(super) fn family(&self) -> impl prometheus_client::registry::Metric + use<> {
        self.0.clone()
    }

    fn count(&self, method: &str, code: Code) {
        let call = Call {
            method: rule(method).map_or(OTHER, |row| row.method),
            code: format!("{code:?}"),
        };
        self.0.get_or_create(&call).inc();
    }
}

impl Sink for Calls {
    fn record(&self, record: &Record) {
        self.count(&record.method, record.result);
    }
}

#[cfg(test)]
pub(super) fn sample() -> Calls {
    let calls = Calls::default();
    calls.count("/metrics", Code::Ok);
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exposition;
    use crate::metrics::facts::Facts;

    #[test]
    fn a_caller_cannot_invent_labels() {
        let calls = sample();
        calls.count("/metrics", Code::Ok);
        for number in 0..1000 {
            calls.count(&format!("/x.Y/Z{number}"), Code::Unimplemented);
        }
        let text = exposition::text(Facts::default(), &calls).unwrap();
        let told = |line: &&str| line.starts_with("garboard_api_calls_total");
        let mut told: Vec<&str> = text.lines().filter(told).collect();
        told.sort_unstable();
        let wanted = [
            "garboard_api_calls_total{method=\"/metrics\",code=\"Ok\"} 2",
            "garboard_api_calls_total{method=\"other\",code=\"Unimplemented\"} 1000",
        ];
        assert_eq!(told, wanted);
    }
}
