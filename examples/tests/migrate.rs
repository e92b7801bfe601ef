//! The migration as its users run it: no call fails, every mistake is found, and the guard acts once.

#[cfg(test)]
mod tests {
    use std::process::Command;

    const MIGRATE: &str = env!("CARGO_BIN_EXE_migrate");

    fn number(json: &str, key: &str) -> u64 {
        let (_, rest) = json.split_once(&format!("\"{key}\":")).unwrap();
        rest[..rest.find([',', '}']).unwrap()].parse().unwrap()
    }

    #[test]
    fn a_service_is_moved_while_everybody_calls_it() {
        let run = Command::new(MIGRATE).args(["--seconds", "12", "--json"]).output().unwrap();
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{stderr}");
        let stdout = String::from_utf8_lossy(&run.stdout);
        let json = stdout.lines().last().unwrap();
        assert!(number(json, "calls") > 500, "{json}");
        assert_eq!((number(json, "failed"), number(json, "false_differences")), (0, 0), "{json}");
        let (planted, found) =
            (number(json, "differences_planted"), number(json, "differences_found"));
        assert!(planted > 0 && planted == found, "{json}\n{stderr}");
        assert!(json.contains("\"rolled_back\":true"), "{json}\n{stderr}");
        // Both sides served, and at the end the new one did.
        assert!(number(json, "old") > 100 && number(json, "new") > 100, "{json}");
    }

    #[test]
    fn a_wrong_command_line_says_what_is_right() {
        for wrong in [&["--seconds", "1"][..], &["--seconds"], &["--what"]] {
            let run = Command::new(MIGRATE).args(wrong).output().unwrap();
            assert_eq!(run.status.code(), Some(2));
            assert!(String::from_utf8_lossy(&run.stderr).contains("usage: migrate"));
        }
        assert!(Command::new(MIGRATE).arg("--help").output().unwrap().status.success());
    }
}
