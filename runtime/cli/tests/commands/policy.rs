//! `sinew policy check`: what is said of a file before it is rolled out.

use serde_json::Value;

use super::{clean, run, scratch, sinew};

#[tokio::test]
async fn every_problem_of_a_file_is_printed_with_its_line() {
    let directory = scratch("policy-check");
    let file = directory.join("sinew.toml");
    let path = file.display().to_string();
    let check = async |arguments: &[&str], input: &str| {
        let mut command = sinew(&directory);
        run(clean(&mut command).args(["policy", "check"]).args(arguments), input).await
    };
    std::fs::write(&file, "version = 1\n[defaults]\ntimout = \"1s\"\nbalance = 3\n").unwrap();
    let wrong = check(&[&path], "").await;
    assert_eq!(wrong.status.code(), Some(1));
    let printed = String::from_utf8(wrong.stdout).unwrap();
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines[0].contains("line 3: `defaults.timout` is no key here; did you mean `timeout`?"));
    assert!(lines[1].contains("line 4: `defaults.balance` is a whole number; a text is wanted"));
    assert_eq!(lines.len(), 2, "{printed}");
    let json = check(&[&path, "--json"], "").await;
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["problems"][0]["line"], 3);
    assert_eq!(json["problems"][1]["key"], "defaults.balance");
    let right = check(&["-"], "version = 1\n").await;
    assert_eq!(right.status.code(), Some(0));
    assert!(String::from_utf8(right.stdout).unwrap().contains("nothing is wrong"));
    assert_eq!(check(&["nowhere.toml"], "").await.status.code(), Some(3));
}
