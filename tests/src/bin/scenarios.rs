//! Plays what is known to break naive clients, with the decision code that production runs, in virtual time.
//!
//! `scenarios [--only ID] [--seed S] [--json]`: a row per figure on standard output, and with `--json` all of them as one
//! object in the last line. Exits with 1 where a bar is missed.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use sinew_tests::sim::{Figure, scenarios::SCENARIOS};

const USAGE: &str = "usage: scenarios [--only ID] [--seed NUMBER] [--json]";

struct Arguments {
    only: Option<u32>,
    seed: u64,
    json: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments { only: None, seed: 1, json: false };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("`{name}` needs a value; {USAGE}"));
        match &*name {
            "--json" => arguments.json = true,
            "--only" => {
                let id = value()?;
                let known = SCENARIOS.iter().any(|(known, _)| known.to_string() == id);
                let ids: Vec<_> = SCENARIOS.iter().map(|(id, _)| id.to_string()).collect();
                if !known {
                    return Err(format!("there is no scenario `{id}`: {}", ids.join(", ")));
                }
                arguments.only = id.parse().ok();
            }
            "--seed" => {
                let seed = value()?;
                arguments.seed =
                    seed.parse().map_err(|_| format!("`{seed}` is no seed; {USAGE}"))?;
            }
            _ => return Err(format!("`{name}` is not known; {USAGE}")),
        }
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "{problem}");
            return ExitCode::from(2);
        }
    };
    match play(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// Whether every bar holds.
fn play(arguments: &Arguments) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let header = ["id", "figure", "without (known)", "ours", "bar"];
    let [id, figure, without, ours, bar] = header;
    writeln!(out, "{id:<4} {figure:<58} {without:>18} {ours:>10}   {bar}")?;
    let mut figures: Vec<Figure> = Vec::new();
    for (id, scenario) in SCENARIOS {
        if arguments.only.is_some_and(|only| only != *id) {
            continue;
        }
        for figure in scenario(arguments.seed) {
            writeln!(out, "{}", figure.row())?;
            figures.push(figure);
        }
    }
    let missed = figures.iter().filter(|figure| !figure.holds()).count();
    writeln!(out, "{} figures, {missed} missed, seed {}", figures.len(), arguments.seed)?;
    if arguments.json {
        let all: Vec<String> = figures.iter().map(Figure::json).collect();
        writeln!(out, "{{\"scenarios\":[{}]}}", all.join(","))?;
    }
    Ok(missed == 0)
}
