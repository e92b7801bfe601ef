//! What is known to break naive clients does not break ours: every figure holds, and what is computed without the
//! mechanism is what the literature reports, or docs/scenarios.md argues why not.

use std::{fs, path::Path};

use sinew_tests::{
    Must as _,
    sim::{Figure, scenarios::SCENARIOS},
};

fn play(id: u32, seed: u64) -> Vec<Figure> {
    let (_, scenario) = SCENARIOS.iter().find(|(known, _)| *known == id).must("a scenario");
    scenario(seed)
}

#[test]
fn every_figure_holds_and_the_naive_ones_are_those_of_the_literature() {
    let mut problems = Vec::new();
    for (_, scenario) in SCENARIOS {
        for figure in scenario(1) {
            if !figure.holds() || figure.naive_reproduced() == Some(false) {
                problems.push(figure.row());
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_seed_means_the_same_figures_every_time() {
    for id in [9, 12] {
        let figures = |seed| play(id, seed).iter().map(Figure::json).collect::<Vec<_>>();
        assert_eq!(figures(7), figures(7));
        assert_ne!(figures(7), figures(8));
    }
}

#[test]
fn every_scenario_has_its_paragraph() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios.md");
    let page = fs::read_to_string(page).must("docs/scenarios.md");
    for (id, _) in SCENARIOS {
        assert!(page.contains(&format!("\n| {id} |")), "scenario {id} is not on the page");
    }
}
