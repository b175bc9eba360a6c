//! What a coverage-guided fuzzer has found worth keeping (fuzz/corpus), played again; and, if all is to be tried, the fuzzer.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::crew::{SharedPage, State, Watched};
use super::harness::probe::Probe;
use super::harness::room::clear_left_over;
use super::harness::script::{Stage, Target};
use crate::part::{Fault, Harm, Outcome, Sweep};

/// How long a target is fuzzed.
const FUZZED: Duration = Duration::from_secs(150);

/// The corpus of a target; and what the fuzzer makes of it, if all is to be tried.
pub(crate) fn run(target: Target, name: &str, sweep: &Sweep) -> Outcome {
    let mut outcome = play_corpus(target, name);
    if sweep.full {
        match fuzz(name) {
            Ok((runs, fault)) => {
                outcome.counts[1] += runs;
                outcome.faults.extend(fault);
            }
            Err(missing) => eprintln!("    {name}: not fuzzed, only played again: {missing}"),
        }
    }
    outcome
}

fn play_corpus(target: Target, name: &str) -> Outcome {
    let folder = Path::new("fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the corpus, from the top folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let stage = Stage::new(target);
    let page = SharedPage::new();
    let progress = &page.progress[0];
    let (mut faults, mut next) = (Vec::new(), 0);
    while next < files.len() {
        let mut child = Watched::new(progress, |probe: &Probe| {
            for (number, file) in files.iter().enumerate().skip(next) {
                probe.begins(number as u64);
                stage.play(probe, &std::fs::read(file).expect("a file of the corpus"));
            }
        });
        let end = loop {
            match child.look(Duration::from_millis(100), &mut faults) {
                State::Lives => {}
                end => break end,
            }
        };
        next = if end == State::Died { progress.case.load(Relaxed) as usize + 1 } else { files.len() };
    }
    let told = |(number, fault): (u64, Fault)| {
        let what = format!("{}: {}", fault.what, files[number as usize].display());
        Fault { what, ..fault }
    };
    let counts = vec![1, progress.tried.load(Relaxed), progress.steps.load(Relaxed)];
    Outcome { counts, faults: faults.into_iter().map(told).collect() }
}

/// How many scripts the fuzzer tried, and what it found; or what it lacks.
fn fuzz(name: &str) -> Result<(u64, Option<Fault>), String> {
    let cargo = || {
        let mut command = Command::new("cargo");
        command.args(["+nightly", "fuzz"]);
        command
    };
    let version = cargo().arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        return Err("it takes a nightly toolchain, and `cargo install cargo-fuzz`".to_owned());
    }
    let (corpus, artifacts) = (format!("build/fuzz/corpus/{name}"), "build/fuzz/artifacts/");
    for folder in [&*corpus, artifacts] {
        std::fs::create_dir_all(folder).expect("a folder of the fuzzer's");
    }
    let seconds = format!("-max_total_time={}", FUZZED.as_secs());
    let prefix = format!("-artifact_prefix={artifacts}{name}-");
    let output = cargo()
        .args(["run", "--fuzz-dir", "fuzz", "--target-dir", "build/fuzz/target", name, &corpus])
        .args([&*format!("fuzz/corpus/{name}"), "--", &seconds, &prefix])
        .args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=400", "-print_final_stats=1"])
        .output()
        .map_err(|error| error.to_string())?;
    clear_left_over();
    let said = String::from_utf8_lossy(&output.stderr);
    let runs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok());
    if runs.is_none() && !said.contains("Test unit written") {
        return Err(format!("it can't be built or run: {}", said.lines().last().unwrap_or_default()));
    }
    let told: Vec<_> = said.lines().filter(|line| line.contains("panicked") || line.contains("SUMMARY")).collect();
    let fault = (!output.status.success()).then(|| {
        let artifact = said.lines().find(|line| line.contains("Test unit written")).unwrap_or_default();
        Fault { harm: Harm::Wrong, what: format!("{} {artifact}", told.join(" ")) }
    });
    Ok((runs.unwrap_or(0), fault))
}
