//! The rules about packages: the allowed dependencies, and that the pure packages do no IO.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{IO_PACKAGES, PACKAGES, PURE, Rule, Violation, assert_none};

/// A package of the workspace, named by its folder or `cluecast`, and the dependencies in its manifest.
#[derive(Default)]
struct Package {
    name: String,
    ours: BTreeSet<String>,
    ours_in_tests: BTreeSet<String>,
    others: BTreeSet<String>,
}

/// The dependencies of each package outside the workspace.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn check_packages(packages: &[Package], graph: &Graph) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        let place = format!("the manifest of {}", package.name);
        let mut violate = |rule, what: String| {
            let place = place.clone();
            violations.push(Violation { rule, place, what });
        };
        let Some((_, ours, ours_in_tests)) =
            PACKAGES.iter().find(|(name, ..)| *name == package.name)
        else {
            violate(
                Rule::PackageEdge,
                "no rule says what it may depend on".to_owned(),
            );
            continue;
        };
        for (asked, allowed) in [
            (&package.ours, ours),
            (&package.ours_in_tests, ours_in_tests),
        ] {
            let forbidden = asked
                .iter()
                .filter(|name| !allowed.contains(&name.as_str()));
            forbidden.for_each(|name| violate(Rule::PackageEdge, name.clone()));
        }
        if PURE.contains(&package.name.as_str()) {
            for name in reachable(&package.others, graph) {
                if IO_PACKAGES.contains(&name) {
                    violate(Rule::PurePackage, name.to_owned());
                }
            }
        }
    }
    violations
}

fn reachable<'a>(from: &'a BTreeSet<String>, graph: &'a Graph) -> BTreeSet<&'a str> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut waiting: Vec<&str> = from.iter().map(String::as_str).collect();
    while let Some(name) = waiting.pop() {
        if seen.insert(name) {
            let next = graph.get(name).into_iter().flatten();
            waiting.extend(next.map(String::as_str));
        }
    }
    seen
}

fn our_name(package: &str) -> String {
    package
        .strip_prefix("cluecast-")
        .unwrap_or(package)
        .to_owned()
}

/// The workspace's packages, from `cargo metadata`.
fn read_packages(root: &Path) -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root)
        .output()
        .expect("cargo runs, since it runs this test");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages.iter().map(read_package).collect()
}

fn read_package(metadata: &serde_json::Value) -> Package {
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let mut package = Package {
        name: our_name(&text(&metadata["name"]).expect("a package has a name")),
        ..Package::default()
    };
    for dependency in metadata["dependencies"]
        .as_array()
        .expect("a list of dependencies")
    {
        let name = text(&dependency["name"]).expect("a dependency has a name");
        let is_for_tests = dependency["kind"] == "dev";
        match (dependency["path"].is_string(), is_for_tests) {
            (true, true) => package.ours_in_tests.insert(our_name(&name)),
            (true, false) => package.ours.insert(our_name(&name)),
            (false, true) => false,
            (false, false) => package.others.insert(name),
        };
    }
    package
}

/// The dependency graph from the lock file, without disabled optional dependencies. All versions of one name
/// count as one package.
fn read_graph(root: &Path) -> Graph {
    let text = fs::read_to_string(root.join("Cargo.lock")).expect("the lock file is committed");
    let lock: toml::Value = toml::from_str(&text).expect("the lock file is TOML");
    let mut graph = Graph::new();
    for package in lock["package"].as_array().expect("a list of packages") {
        let name = package["name"].as_str().expect("a package has a name");
        let dependencies = package.get("dependencies").and_then(toml::Value::as_array);
        let names = dependencies
            .into_iter()
            .flatten()
            .filter_map(toml::Value::as_str);
        let names = names
            .filter_map(|name| name.split(' ').next())
            .map(str::to_owned);
        graph.entry(name.to_owned()).or_default().extend(names);
    }
    graph
}

#[test]
fn packages_keep_to_their_edges() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = read_packages(root);
    assert_eq!(packages.len(), PACKAGES.len(), "every package has its rule");
    assert_none(&check_packages(&packages, &read_graph(root)));
}

#[test]
fn planted_violations_in_packages_are_caught() {
    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }
    let graph = Graph::from([
        ("innocent".to_owned(), set(&["inner"])),
        ("inner".to_owned(), set(&["mio"])),
    ]);
    for (rule, name, ours, ours_in_tests, others) in [
        (
            Rule::PackageEdge,
            "hunt",
            &["protocol"][..],
            &[][..],
            &[][..],
        ),
        (Rule::PackageEdge, "hunt", &[], &["testkit"], &[]),
        (Rule::PackageEdge, "protocol", &["hunt"], &[], &[]),
        (Rule::PackageEdge, "loadtest", &["cluecast"], &[], &[]),
        (Rule::PackageEdge, "loadtest", &[], &["hunt"], &[]),
        (Rule::PackageEdge, "testkit", &["cluecast"], &[], &[]),
        (Rule::PackageEdge, "cluecast", &["testkit"], &[], &[]),
        (Rule::PackageEdge, "newcomer", &[], &[], &[]),
        (Rule::PurePackage, "hunt", &[], &[], &["tokio"]),
        (Rule::PurePackage, "protocol", &[], &[], &["innocent"]),
    ] {
        let package = Package {
            name: name.to_owned(),
            ours: set(ours),
            ours_in_tests: set(ours_in_tests),
            others: set(others),
        };
        let caught = check_packages(&[package], &graph);
        assert_eq!(caught.len(), 1, "{name}: {caught:?}");
        assert_eq!(caught[0].rule, rule, "{}", caught[0]);
    }
}
