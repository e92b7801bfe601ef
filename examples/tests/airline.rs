//! The airline demo as its users run it: what it prints, how it ends, and that it leaves nothing behind.

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    const AIRLINE: &str = env!("CARGO_BIN_EXE_airline");

    /// The value of one key in a flat JSON object.
    fn value<'a>(json: &'a str, key: &str) -> &'a str {
        let (_, rest) = json.split_once(&format!("\"{key}\":")).unwrap();
        let end = if rest.starts_with('[') { rest.find(']') } else { rest.find([',', '}']) };
        rest[..end.unwrap()].trim_start_matches('[')
    }

    fn number(json: &str, key: &str) -> u64 {
        value(json, key).parse().unwrap()
    }

    #[test]
    fn the_last_line_tells_a_program_that_the_books_balance() {
        let run = Command::new(AIRLINE).args(["--seconds", "2", "--json"]).output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "{stderr}");
        let json = stdout.lines().last().unwrap();
        let keys: Vec<_> = json.split('"').skip(1).step_by(2).collect();
        let expected = "seconds processes calls failed p50_us p99_us hop_budget_us seats_sold \
                        seats_confirmed seats_maybe late_handlers legacy_http_calls curl_calls \
                        amplification double_sold policy_changes ca_rotations faults";
        assert_eq!(keys.join(" "), expected);
        assert!(number(json, "calls") > 300, "{json}");
        for none in ["failed", "seats_maybe", "late_handlers", "double_sold"] {
            assert_eq!(number(json, none), 0, "{none} in {json}\n{stderr}");
        }
        assert_eq!(number(json, "processes"), 16);
        assert!(number(json, "policy_changes") > 0, "{json}");
        // `tests/run` sees to it that there is somebody to be called.
        assert!(number(json, "legacy_http_calls") > 50, "{json}\n{stderr}");
        assert_eq!(number(json, "seats_sold"), number(json, "seats_confirmed"));
        let hops: Vec<u64> =
            value(json, "hop_budget_us").split(',').map(|us| us.parse().unwrap()).collect();
        assert!(hops.len() == 3 && hops.is_sorted_by(|a, b| a > b), "{json}");
        assert!(stderr.contains("DeadlineExceeded: `Gateway/plan_trip`"), "{stderr}");
    }

    #[test]
    fn what_is_done_to_the_servers_costs_no_call_and_no_seat() {
        let run = Command::new(AIRLINE).args(["--seconds", "12", "--json"]).output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "{stderr}");
        let json = stdout.lines().last().unwrap();
        let (totals, faults) = json.split_once("\"faults\":[").unwrap();
        // Some come in by curl.
        assert!(number(totals, "curl_calls") > 3, "{json}\n{stderr}");
        let amplification: f64 = value(totals, "amplification").parse().unwrap();
        assert!((1.0..=1.2).contains(&amplification), "{json}\n{stderr}");
        for none in ["failed", "double_sold", "late_handlers"] {
            assert_eq!(number(totals, none), 0, "{none} in {json}\n{stderr}");
        }
        let faults: Vec<_> = faults.split("{\"fault\":").skip(1).collect();
        let names: Vec<_> = faults.iter().map(|fault| fault.split('"').nth(1).unwrap()).collect();
        assert_eq!(names, ["kill", "freeze", "slow", "fail_fast", "blackhole", "restart"]);
        for fault in faults {
            assert_eq!(number(fault, "failed"), 0, "{fault}\n{stderr}");
            assert!(number(fault, "calls") > 50, "{fault}\n{stderr}");
            let keys: Vec<_> = fault.split('"').skip(3).step_by(2).collect();
            assert_eq!(keys[..6], ["calls", "failed", "retried", "p99_us", "left_ms", "back_ms"]);
        }
    }

    #[test]
    fn an_etcd_that_is_killed_and_comes_back_costs_no_call() {
        let run = ["--discovery", "etcd", "--seconds", "14", "--travellers", "100", "--json"];
        let run = Command::new(AIRLINE).args(run).output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        // `tests/run` sees to it that there is one.
        assert!(run.status.success(), "{stderr}");
        let json = stdout.lines().last().unwrap();
        let (totals, faults) = json.split_once("\"faults\":[").unwrap();
        for none in ["failed", "double_sold", "late_handlers"] {
            assert_eq!(number(totals, none), 0, "{none} in {json}\n{stderr}");
        }
        let (_, killed) = faults.split_once("{\"fault\":\"etcd\"").unwrap();
        assert_eq!(number(killed, "failed"), 0, "{json}\n{stderr}");
        assert!(number(killed, "calls") > 50, "{json}\n{stderr}");
    }

    #[test]
    fn wrong_usage_ends_with_status_2() {
        let run = Command::new(AIRLINE).args(["--seconds", "never"]).output().unwrap();
        assert_eq!(run.status.code(), Some(2));
        assert!(run.stdout.is_empty());
        assert!(String::from_utf8_lossy(&run.stderr).contains("usage:"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn no_process_is_left_when_the_parent_is_killed() {
        use std::{
            fs, thread,
            time::{Duration, Instant},
        };

        /// Those that `parent` has started.
        fn children(parent: u32) -> Vec<String> {
            let of = format!("/proc/{parent}/task/{parent}/children");
            let children = fs::read_to_string(of).unwrap_or_default();
            children.split_whitespace().map(str::to_owned).collect()
        }

        /// Whether it runs: one that has ended and waits to be noticed does not.
        fn runs(pid: &String) -> bool {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.contains("(airline)") && !stat.contains(") Z ")
        }

        fn within(limit: Duration, done: impl Fn() -> bool) -> bool {
            let until = Instant::now() + limit;
            while !done() {
                if Instant::now() > until {
                    return false;
                }
                thread::park_timeout(Duration::from_millis(50));
            }
            true
        }

        let mut parent =
            Command::new(AIRLINE).args(["--seconds", "60"]).stdout(Stdio::null()).spawn().unwrap();
        let pid = parent.id();
        let started = within(Duration::from_secs(30), || children(pid).len() == 15);
        let all = children(pid);
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert!(started, "not all services have started: {all:?}");
        let gone = within(Duration::from_secs(20), || !all.iter().any(runs));
        assert!(gone, "of {all:?} some still run");
    }
}
