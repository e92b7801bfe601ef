//! `sinew policy`: what operators say of calls, checked before it is said to anybody.

use std::io::Read as _;

use serde_json::json;
use sinew::{PolicyProblem, check_policy};

use crate::{
    args::Policy,
    output::{self, Failure, Style, styled},
};

pub(crate) fn run(args: Policy, json: bool) -> Result<(), Failure> {
    let Policy::Check { file } = args;
    let text = read(&file)?;
    let problems = match check_policy(&text) {
        Ok(()) => Vec::new(),
        Err(why) => why.problems().to_vec(),
    };
    if json {
        let problems: Vec<_> = problems.iter().map(as_json).collect();
        output::line(&json!({ "file": file, "problems": problems }).to_string())?;
    } else {
        for problem in &problems {
            output::line(&format!("{}{problem}", styled(Style::Bold, &format!("{file}: "))))?;
        }
    }
    match problems.len() {
        0 if json => Ok(()),
        0 => output::line(&styled(Style::Green, &format!("{file}: nothing is wrong"))),
        _ => Err(Failure::no("")),
    }
}

fn read(file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().read_to_string(&mut text),
        _ => std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|why| Failure::cannot(format!("{file}: {why}")))?;
    Ok(text)
}

fn as_json(problem: &PolicyProblem) -> serde_json::Value {
    json!({ "line": problem.line, "key": problem.key, "what": problem.what })
}
