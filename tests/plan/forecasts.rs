//! Forecasts over the API and the command line.

use crate::estimates::with_an_inventory;
use crate::support::databases::on_each_database;
use crate::support::program::{assert_failure, document, make_database, printed};
use crate::support::{Plan, Seen};
use netcensus::census::Sign;

on_each_database! {
    a_forecast_follows_the_sealed_days_and_the_present_count,
}

async fn a_forecast_follows_the_sealed_days_and_the_present_count(plan: Plan) {
    plan.onboard_monthly(300).await;
    let sensor = plan.enrol().await;
    for day in 0..10_u32 {
        let date = if day < 9 { format!("2026-11-{}", 22 + day) } else { "2026-12-01".to_owned() };
        // Seals the day before.
        plan.set_time(&format!("{date}T01:00:00Z"));
        plan.run_jobs().await;
        let now = format!("{date}T09:00:00Z");
        plan.set_time(&now);
        let device = |seen: Seen, n: u32| {
            let mac = format!("00:40:8c:00:{:02x}:{:02x}", n / 256, n % 256);
            let ip = format!("10.0.{}.{}", n / 200, n % 200 + 1);
            seen.sign(&mac, &ip, "iot-x", Sign::ArpAsked, &now)
        };
        let seen = (0..100 + 10 * day).fold(Seen::default(), device);
        seen.send(&plan, &sensor, u64::from(day) + 1, "default").await;
    }
    insta::assert_json_snapshot!("forecast_that_passes", plan.get("/forecast").await);
}

#[tokio::test]
async fn without_sealed_days_a_forecast_knows_only_the_present_count() {
    let plan = Plan::start().await;
    with_an_inventory(&plan).await;
    insta::assert_json_snapshot!("forecast_without_days", plan.get("/forecast").await);
}

#[test]
fn the_command_says_that_a_new_subscription_has_too_few_days() {
    let dir = tempfile::tempdir().unwrap();
    make_database(dir.path());
    printed(dir.path(), &["subscription", "create", "Contoso"]);
    assert_eq!(document(dir.path(), &["forecast", "--json"])["outlook"], "too_few_days");
}

#[test]
fn the_command_forecasts_a_series_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let day = |day| format!("2026-11-{day:02},{}\n", 1_600 + 4 * day);
    let series = format!("day,billable\n{}", (1..=20).map(day).collect::<String>());
    std::fs::write(dir.join("counts.csv"), series).unwrap();
    let forecast =
        ["forecast", "--series", "counts.csv", "--committed", "1700", "--as-of", "2026-11-20T12:00:00Z"];
    insta::assert_snapshot!(printed(dir, &forecast), @"
    grows by +4 per day and passes the committed number between 2026-11-26 and 2026-11-26, most likely on 2026-11-26
    To cover a month, commit 1800.
    ");
    std::fs::write(dir.join("bad.csv"), "2026-11-01,5\nyesterday,6\n").unwrap();
    assert_failure(dir, &["forecast", "--series", "bad.csv"], 1, "bad.csv: line 2");
}
