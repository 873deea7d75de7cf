//! Reads memcheck's reports on standard input and sorts them by the rules of `explained.txt`. Fails when one is left.

use std::collections::BTreeMap;
use std::io::{Read, stdin};
use std::process::ExitCode;

/// A report is explained by the first rule one of whose first `depth` frames holds `pattern`; of a pattern
/// `inner << outer`, that frame holds the inner and its caller the outer part.
struct Rule<'a> {
    depth: usize,
    pattern: &'a str,
    reason: &'a str,
}

fn rules(text: &str) -> Vec<Rule<'_>> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let mut parts = line.splitn(3, " | ").map(str::trim);
            let (Some(depth), Some(pattern), Some(reason)) =
                (parts.next(), parts.next(), parts.next())
            else {
                panic!("not a rule: {line}");
            };
            Rule { depth: depth.parse().expect("a depth"), pattern, reason }
        })
        .collect()
}

/// The stacks of all reports, innermost frame first, with the section that each was made in.
fn reports(text: &str) -> Vec<(String, Vec<String>)> {
    let mut reports: Vec<(String, Vec<String>)> = Vec::new();
    let (mut section, mut open) = (String::new(), false);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            section = name.to_owned();
            continue;
        }
        let Some((_, text)) = line.strip_prefix("==").and_then(|rest| rest.split_once("== "))
        else {
            open = false;
            continue;
        };
        let frame = text.trim_start().strip_prefix("at ").or(text.trim_start().strip_prefix("by "));
        match frame.and_then(|frame| frame.split_once(": ")) {
            Some((_, frame)) if open => {
                if let Some((_, frames)) = reports.last_mut() {
                    frames.push(frame.to_owned());
                }
            }
            Some(_) => {}
            None => {
                open = text.starts_with("Conditional jump") || text.starts_with("Use of uninit");
                if open {
                    reports.push((section.clone(), Vec::new()));
                }
            }
        }
    }
    reports
}

fn main() -> ExitCode {
    let mut text = String::new();
    stdin().read_to_string(&mut text).expect("UTF-8 on standard input");
    let rules = rules(include_str!("../../explained.txt"));
    let mut explained: BTreeMap<usize, usize> = BTreeMap::new();
    let mut unexplained = 0;
    for (section, frames) in reports(&text) {
        let rule = rules.iter().position(|rule| {
            (0..frames.len().min(rule.depth)).any(|at| match rule.pattern.split_once(" << ") {
                None => frames[at].contains(rule.pattern),
                Some((inner, outer)) => {
                    frames[at].contains(inner)
                        && frames.get(at + 1).is_some_and(|caller| caller.contains(outer))
                }
            })
        });
        if let Some(rule) = rule {
            *explained.entry(rule).or_default() += 1;
        } else {
            unexplained += 1;
            println!("NOT EXPLAINED, in \"{section}\":");
            frames.iter().take(8).for_each(|frame| println!("    {frame}"));
        }
    }
    for (rule, count) in &explained {
        println!("{count:>4} x {}", rules[*rule].reason);
    }
    for (number, rule) in rules.iter().enumerate() {
        if !explained.contains_key(&number) {
            println!("   0 x {} ({}): is this rule still needed?", rule.reason, rule.pattern);
        }
    }
    println!("{unexplained} not explained");
    if unexplained == 0 && !explained.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
