//! Alerts and recommendations as events of the Open Cybersecurity Schema Framework (OCSF 1.8.0): Detection Finding (2004) and
//! Compliance Finding (2003). One event an alert, and one a device of a recommendation. Pure.

use serde_json::{Value, json};

use super::alert::{Alert, Proof, Recommendation, Severity, Standing};
use crate::census::Timestamp;

/// The version of the schema.
pub const VERSION: &str = "1.8.0";

/// What a person decided, as an event tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    New = 1,
    InProgress = 2,
    Suppressed = 3,
    Resolved = 4,
}

/// A Detection Finding.
pub fn alert(alert: &Alert, status: Status) -> Value {
    let activity = if status == Status::Resolved { 3 } else { 1 };
    json!({
        "activity_id": activity,
        "category_uid": 2,
        "class_uid": 2004,
        "type_uid": 200_400 + activity,
        "severity_id": severity(alert.severity),
        "severity": alert.severity.title(),
        "status_id": status as u8,
        "is_alert": true,
        "time": millis(alert.last),
        "message": alert.sentence,
        "metadata": metadata(),
        "finding_info": {
            "uid": alert.id.to_string(),
            "title": alert.title,
            "desc": alert.sentence,
            "types": [alert.rule],
            "first_seen_time": millis(alert.first),
            "last_seen_time": millis(alert.last),
            "analytic": {"name": alert.title, "uid": alert.rule, "type_id": 1},
            "attacks": alert.techniques.iter().map(|t| json!({"technique": {"uid": t}})).collect::<Vec<_>>(),
        },
        "evidences": alert.proofs.iter().map(|p| evidence(&alert.device, &alert.object, p)).collect::<Vec<_>>(),
        "resources": [resource(&alert.device)],
        "remediation": {"desc": alert.advice},
    })
}

/// The Compliance Findings of a recommendation: one a device that is unhealthy or healthy.
pub fn recommendation(recommendation: &Recommendation, as_of: Timestamp) -> Vec<Value> {
    let r = recommendation;
    let event = |device: &Standing, proof: Option<&Proof>| {
        let (status, at) = proof.map_or((1, as_of), |proof| (3, proof.last));
        json!({
            "activity_id": 1,
            "category_uid": 2,
            "class_uid": 2003,
            "type_uid": 200_301,
            "severity_id": if proof.is_some() { severity(r.severity) } else { 1 },
            "time": millis(at),
            "message": proof.map_or("healthy", |p| p.sentence.as_str()),
            "metadata": metadata(),
            "finding_info": {"uid": format!("{}:{}", r.rule, device.id), "title": r.name},
            "compliance": {"control": r.rule, "status_id": status, "standards": ["netcensus"]},
            "resources": [resource(device)],
            "remediation": {"desc": r.remedy},
        })
    };
    let unhealthy = r.unhealthy.iter().map(|u| event(&u.device, Some(&u.proof)));
    unhealthy.chain(r.healthy.iter().map(|device| event(device, None))).collect()
}

const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
    }
}

const fn millis(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000)
}

fn metadata() -> Value {
    json!({
        "version": VERSION,
        "product": {"name": "netcensus", "vendor_name": "netcensus", "version": env!("CARGO_PKG_VERSION")},
    })
}

fn resource(device: &Standing) -> Value {
    let mut resource = json!({"uid": device.id, "type": device.kind, "labels": [device.category]});
    if let (Some(name), Some(resource)) = (&device.name, resource.as_object_mut()) {
        resource.insert("name".to_owned(), json!(name));
    }
    resource
}

fn evidence(device: &Standing, object: &str, proof: &Proof) -> Value {
    json!({
        "src_endpoint": {"ip": device.ip.to_string(), "mac": device.mac.to_string(), "uid": device.id, "zone": device.zone},
        "data": {
            "object": object,
            "sentence": proof.sentence,
            "sample": proof.sample,
            "first": proof.first.to_string(),
            "last": proof.last.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::AlertId;

    fn device() -> Standing {
        Standing {
            id: "0123456789abcdef".to_owned(),
            zone: "hq".to_owned(),
            ip: [10, 0, 0, 7].into(),
            mac: "00:40:8c:00:00:07".parse().unwrap(),
            category: "iot".to_owned(),
            kind: "camera".to_owned(),
            vendor: None,
            model: None,
            name: Some("cam-7".to_owned()),
        }
    }

    fn proof() -> Proof {
        let at = Timestamp::from_secs(1_700_000_000);
        Proof { sentence: "it did".to_owned(), first: at, last: at, sample: vec!["10.0.0.9".to_owned()] }
    }

    #[test]
    fn an_alert_is_a_detection_finding() {
        let event = alert(
            &Alert {
                id: "00000000000000000000000000000001".parse::<AlertId>().unwrap(),
                aliases: Vec::new(),
                labels: Vec::new(),
                rule: "A-SCAN-P".to_owned(),
                title: "Port scan".to_owned(),
                severity: Severity::High,
                device: device(),
                object: String::new(),
                first: proof().first,
                last: proof().last,
                sentence: "It scanned ports".to_owned(),
                proofs: vec![proof()],
                advice: "Look.".to_owned(),
                techniques: vec!["T1046".to_owned()],
                feeds: Vec::new(),
            },
            Status::New,
        );
        assert_eq!(
            (&event["class_uid"], &event["type_uid"], &event["severity_id"]),
            (&json!(2004), &json!(200_401), &json!(4))
        );
        assert_eq!(event["time"], 1_700_000_000_000_i64);
        assert_eq!(event["finding_info"]["attacks"][0]["technique"]["uid"], "T1046");
        assert_eq!(event["evidences"][0]["src_endpoint"]["mac"], "00:40:8c:00:00:07");
    }

    #[test]
    fn a_recommendation_is_a_compliance_finding_for_each_device() {
        let r = Recommendation {
            rule: "R-TELNET".to_owned(),
            name: "x".to_owned(),
            severity: Severity::Medium,
            unhealthy: vec![crate::security::Unhealthy { device: device(), proof: proof() }],
            healthy: vec![device()],
            not_assessed: 3,
            remedy: "y".to_owned(),
        };
        let events = recommendation(&r, Timestamp::from_secs(5));
        let status: Vec<_> = events.iter().map(|e| e["compliance"]["status_id"].clone()).collect();
        assert_eq!(status, [json!(3), json!(1)]);
    }
}
