//! Two builds of a service meet: each value is seen as the table says, or refused with its words.

use sinew_tests::versions::run;

#[tokio::test]
async fn no_value_is_misread_between_two_builds() {
    let report = run().await;
    assert!(report.changes >= 40 && report.kinds >= 30, "{}", report.json());
    assert!(report.is_sound(), "{}\n{}", report.json(), report.findings.join("\n"));
}
