//! What is tested: the programs that cargo builds of the integration tests, and `pmu-monitor` itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::process;
use crate::project::{self, Project};
use crate::test::HOST_WORLD;

/// Where they lie.
pub(super) struct Programs {
    pub(super) monitor: PathBuf,
    /// By the name of the test target.
    pub(super) tests: BTreeMap<String, PathBuf>,
}

/// Builds them as the step that runs the tests on the host does, so that nothing is built twice.
pub(super) fn build(project: &Project) -> Result<Programs> {
    let mut cargo = project::cargo();
    cargo.current_dir(&project.root).args(["test", "--quiet", "--no-run", "--message-format=json"]);
    let said = process::output(cargo.args(HOST_WORLD))?;
    let (mut monitor, mut tests) = (None, BTreeMap::new());
    for line in said.lines() {
        let message: serde_json::Value =
            serde_json::from_str(line).map_err(Error::parse("what cargo says of its work"))?;
        let Some(program) = message["executable"].as_str().map(PathBuf::from) else { continue };
        let target = &message["target"];
        let name = target["name"].as_str().unwrap_or_default();
        match target["kind"][0].as_str() {
            Some("test") => drop(tests.insert(name.to_owned(), program)),
            Some("bin") if name == "pmu-monitor" && message["profile"]["test"] == false => {
                monitor = Some(program);
            }
            _ => {}
        }
    }
    let monitor = monitor.ok_or_else(|| Error::plain("cargo built no pmu-monitor"))?;
    Ok(Programs { monitor, tests })
}
