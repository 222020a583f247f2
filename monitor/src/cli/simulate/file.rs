//! `--config FILE` of `simulate`: the same options in TOML, read by the same parsers.
//!
//! Each key becomes the argument of its name, in front of those of the command line; so what is wrong is told in one
//! way, and the command line wins.

use std::ffi::OsString;
use std::path::Path;
use std::{env, fs};

use clap::{Args as _, Command, FromArgMatches as _};
use toml::{Table, Value};

use super::Arguments;
use crate::simulate::FaultKind;

/// The verb.
const VERB: &str = "simulate";

/// The verb's own command line.
pub(super) fn command() -> Command {
    let bin_name = format!("pmu-monitor {VERB}");
    Arguments::augment_args(Command::new(VERB)).bin_name(bin_name).args_override_self(true)
}

/// This process's command line over the file at `path`.
pub(super) fn over(path: &Path) -> Result<Arguments, String> {
    let given = env::args_os().skip_while(|argument| argument != VERB).skip(1);
    let text = fs::read_to_string(path).map_err(|error| {
        format!(
            "configuration file {}: {error}; check the path given with --config and its permissions",
            path.display()
        )
    })?;
    overlaid(&text, given).map_err(|told| format!("configuration file {}: {told}", path.display()))
}

fn overlaid(text: &str, given: impl Iterator<Item = OsString>) -> Result<Arguments, String> {
    let table: Table = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let mut arguments = vec![OsString::from(VERB)];
    for (key, value) in &table {
        arguments.extend(written(key, value)?.into_iter().map(OsString::from));
    }
    // The file alone first: what is wrong with it is not the command line's fault.
    let alone = command().try_get_matches_from(&arguments);
    alone.map_err(|error| first_line(&error))?;
    arguments.extend(given);
    let matches = command().try_get_matches_from(&arguments).map_err(|error| first_line(&error))?;
    Arguments::from_arg_matches(&matches).map_err(|error| first_line(&error))
}

/// A key as arguments of the command line.
fn written(key: &str, value: &Value) -> Result<Vec<String>, String> {
    let command = command();
    let known = command.get_arguments().find(|argument| argument.get_long() == Some(key));
    let Some(known) = known.filter(|_| !matches!(key, "config" | "help")) else {
        let keys: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        return Err(format!("unknown key '{key}'; there are {}", keys.join(", ")));
    };
    let option = format!("--{key}");
    match (known.get_action().takes_values(), value) {
        (true, Value::Array(values)) => {
            let text = |value: &Value| match value {
                Value::Table(table) => parts(key, table),
                value => scalar(key, value),
            };
            let each = values.iter().map(|value| Ok([option.clone(), text(value)?]));
            Ok(each.collect::<Result<Vec<_>, String>>()?.concat())
        }
        (true, value) => Ok(vec![option, scalar(key, value)?]),
        (false, Value::Boolean(true)) => Ok(vec![option]),
        (false, Value::Boolean(false)) => Ok(Vec::new()),
        (false, other) => Err(format!("key '{key}' is true or false, not {}", other.type_str())),
    }
}

/// A table of `[[fault]]`: the kind is the key that no fault has beside it.
fn parts(key: &str, table: &Table) -> Result<String, String> {
    let is_kind = |key: &str| FaultKind::NAMES.contains(&key);
    let (kinds, keys): (Vec<_>, Vec<_>) = table.iter().partition(|(key, _)| is_kind(key));
    let [(kind, value)] = kinds.as_slice() else {
        return Err(format!("each [[{key}]] has one of the keys {}", FaultKind::NAMES.join(", ")));
    };
    let mut text = match value {
        Value::Boolean(true) => (*kind).clone(),
        value => format!("{kind}={}", scalar(kind, value)?),
    };
    for (key, value) in keys {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            let value = match value {
                Value::Boolean(truth) => truth.to_string(),
                value => scalar(key, value)?,
            };
            text.extend([",", key, "=", &value]);
        }
    }
    Ok(text)
}

fn scalar(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Datetime(time) => Ok(time.to_string()),
        other => Err(format!("key '{key}' is a text or a number, not {}", other.type_str())),
    }
}

/// What is wrong, without the usage of the command line.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, given: &[&str]) -> Result<Arguments, String> {
        overlaid(text, given.iter().map(OsString::from))
    }

    #[test]
    fn the_file_gives_what_the_command_line_does_not() {
        let text =
            "to = \"192.0.2.9:4713\"\npmus = 7\nrate = 60\nstart = 2026-12-31T23:59:50Z\nquiet = true\n";
        let arguments = read(text, &["--rate", "30", "--json"]).unwrap();
        assert_eq!((arguments.pmus, arguments.rate.get()), (7, 30));
        assert_eq!(arguments.start, Some(1_798_761_590_000_000_000));
        assert!(arguments.quiet && arguments.json && !arguments.commanded);
        let switched = read("spontaneous = true\n", &["--commanded"]).unwrap();
        assert!(switched.commanded && !switched.spontaneous);
    }

    #[test]
    fn faults_are_texts_or_tables() {
        let text = "fault = [\"loss=0.5,idcode=103\", \"silence,from=1s\"]\n";
        let arguments = read(text, &["--fault", "crc=0.1"]).unwrap();
        let kinds: Vec<_> = arguments.faults.iter().map(|fault| fault.kind.name()).collect();
        assert_eq!(kinds, ["loss", "silence", "crc"]);
        let text =
            "[[fault]]\nidcode = [\"103-104\", 110]\nloss = 0.5\n[[fault]]\nsilence = true\nfrom = \"1s\"\n";
        let tables = read(text, &[]).unwrap().faults;
        assert_eq!(tables[0].scope.idcodes, [103..=104, 110..=110]);
        assert_eq!(tables[1], "silence,from=1s".parse().unwrap());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("[[fault]]\nlost = 1", "each [[fault]] has one of the keys loss,"),
            ("[[fault]]\nloss = 7", "'loss=7': '7' is no share"),
            ("fault = [\"loss=0.1,pmu=3\"]", "loss has no 'pmu'"),
            ("pmu = 3", "unknown key 'pmu'; there are to, listen,"),
            ("config = \"other.toml\"", "unknown key 'config'"),
            ("rate = 5", "from 10 to 240"),
            ("rate = true", "key 'rate' is a text or a number, not boolean"),
            ("quiet = 1", "key 'quiet' is true or false, not integer"),
            ("rate = ", "line 1"),
            ("pmus = 0", "0 is not in 1..=1000"),
        ] {
            let error = read(text, &[]).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
