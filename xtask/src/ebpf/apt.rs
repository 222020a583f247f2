//! Debian's packages through a configuration of apt that is ours alone: own lists, cache and sources under
//! `target/`, so that the system's stay as they are. The repository's address is the machine's own; only the suite
//! is added, for this download.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::{process, project};

/// The suite that carries recent compilers for Debian's stable release.
const SUITE: &str = "trixie-backports";

/// Where apt says which repositories a machine uses.
const SYSTEM_LIST: &str = "/etc/apt/sources.list";
const SYSTEM_PARTS: &str = "/etc/apt/sources.list.d";

/// Puts the folder `library` of Debian's `rust-src` of that release at `place`.
pub(crate) fn fetch_library(cache: &Path, release: &str, place: &Path) -> Result<()> {
    let repositories = system_repositories()?;
    if repositories.is_empty() {
        return Err(Error::plain(format!("neither {SYSTEM_LIST} nor {SYSTEM_PARTS} names a repository")));
    }
    let mut reasons = String::new();
    for repository in &repositories {
        match fetch_from(repository, &cache.join("apt"), release, place) {
            Ok(()) => return Ok(()),
            // Writing to a string cannot fail.
            Err(error) => drop(write!(reasons, "\n{error}")),
        }
    }
    Err(Error::plain(format!("no repository of this machine has it in {SUITE}:{reasons}")))
}

fn fetch_from(repository: &Repository, directory: &Path, release: &str, place: &Path) -> Result<()> {
    project::remove_dir(directory)?;
    let apt = PrivateApt::set_up(repository, directory)?;
    process::output(apt.command("apt-get").args(["--quiet", "update", "--error-on=any"]))?;
    let listed = process::output(apt.command("apt-cache").args(["madison", "rust-src"]))?;
    let version = matching_version(&listed, release)
        .ok_or_else(|| Error::plain(format!("{SUITE} has rust-src, but not of {release}")))?;
    let package = format!("rust-src={version}");
    process::output(apt.command("apt-get").args(["--quiet", "download", &package]).current_dir(directory))?;
    unpack(directory, release, place)
}

/// Unpacks the one package in `directory` and moves what is wanted of it to `place`.
fn unpack(directory: &Path, release: &str, place: &Path) -> Result<()> {
    let package = project::entries(directory)?
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.ok_or_else(|| Error::plain("apt-get downloaded no package"))?;
    let unpacked = directory.join("unpacked");
    process::output(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&unpacked))?;
    let library = unpacked.join(format!("usr/src/rustc-{release}/library"));
    if let Some(parent) = place.parent() {
        project::create_dir(parent)?;
    }
    std::fs::rename(&library, place).map_err(Error::file("move", &library))?;
    project::remove_dir(directory)
}

/// The version of `rust-src` that is of the compiler's release: "1.95.0+dfsg1-2~bpo13+1" is of 1.95.0.
///
/// `listed` is what `apt-cache madison` prints: `rust-src | VERSION | REPOSITORY`.
fn matching_version<'a>(listed: &'a str, release: &str) -> Option<&'a str> {
    let versions = listed.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
    let of_release =
        |version: &str| version.strip_prefix(release).is_some_and(|rest| rest.starts_with(['+', '-', '~']));
    versions.into_iter().find(|version| of_release(version))
}

/// A configuration of apt below one directory.
struct PrivateApt {
    configuration: PathBuf,
}

impl PrivateApt {
    fn set_up(repository: &Repository, directory: &Path) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial", "sources"] {
            project::create_dir(&directory.join(part))?;
        }
        project::write(&directory.join("sources/private.sources"), repository.stanza(SUITE).as_bytes())?;
        let configuration = directory.join("apt.conf");
        project::write(&configuration, Self::text(directory).as_bytes())?;
        Ok(Self { configuration })
    }

    /// What the machine's configuration says besides (a proxy, certificates) holds on. Its hooks do not: they look
    /// after the system's lists.
    fn text(directory: &Path) -> String {
        let directory = directory.display();
        format!(
            "Dir::State::lists \"{directory}/lists\";\n\
             Dir::Cache \"{directory}/cache\";\n\
             Dir::Etc::sourcelist \"/dev/null\";\n\
             Dir::Etc::sourceparts \"{directory}/sources\";\n\
             // The directory need not be open to apt's own user.\n\
             APT::Sandbox::User \"root\";\n\
             #clear APT::Update::Pre-Invoke;\n\
             #clear APT::Update::Post-Invoke;\n\
             #clear APT::Update::Post-Invoke-Success;\n"
        )
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").arg("--config-file").arg(&self.configuration);
        command
    }
}

/// One address, with what vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Repository {
    address: String,
    /// The value of `Signed-By`: a keyring's path, or a key over several lines.
    signed_by: Option<String>,
}

impl Repository {
    /// As a paragraph of a `.sources` file.
    fn stanza(&self, suite: &str) -> String {
        let Self { address, signed_by } = self;
        let signed_by = signed_by.iter().fold(String::new(), |_, key| format!("Signed-By: {key}\n"));
        format!("Types: deb\nURIs: {address}\nSuites: {suite}\nComponents: main\n{signed_by}")
    }
}

/// The machine's binary repositories with a component `main`, each address once.
fn system_repositories() -> Result<Vec<Repository>> {
    let mut files = vec![PathBuf::from(SYSTEM_LIST)];
    files.extend(project::files_below(Path::new(SYSTEM_PARTS))?);
    let mut repositories: Vec<Repository> = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let text = project::read_text(file)?;
        let found = match file.extension().and_then(|end| end.to_str()) {
            Some("sources") => parse_deb822(&text),
            Some("list") => parse_one_line(&text),
            _ => Vec::new(),
        };
        for repository in found {
            if !repositories.iter().any(|known| known.address == repository.address) {
                repositories.push(repository);
            }
        }
    }
    Ok(repositories)
}

/// Whether a repository with this kind, these suites and these components is one of the distribution's own.
///
/// A suite of security updates has an address of its own, where no backports lie.
fn is_distribution(address: &str, suites: &[&str], components: &[&str]) -> bool {
    components.contains(&"main")
        && suites.iter().any(|suite| !suite.ends_with("-security") && !suite.contains('/'))
        && !address.starts_with("cdrom:")
}

/// Reads `.sources` files: paragraphs of `Field: value`, a value going on in lines that begin with a space
/// (sources.list(5), "deb822-style format").
fn parse_deb822(text: &str) -> Vec<Repository> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.split(|line| line.trim().is_empty()).flat_map(parse_paragraph).collect()
}

fn parse_paragraph(lines: &[&str]) -> Vec<Repository> {
    let fields = fields(lines);
    let field = |name: &str| {
        fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let words = |name: &str| {
        field(name).map(|value| value.split_whitespace().collect::<Vec<_>>()).unwrap_or_default()
    };
    let disabled = field("Enabled").is_some_and(|value| value.trim().eq_ignore_ascii_case("no"));
    if disabled || !words("Types").contains(&"deb") {
        return Vec::new();
    }
    let (suites, components) = (words("Suites"), words("Components"));
    let addresses =
        words("URIs").into_iter().filter(|address| is_distribution(address, &suites, &components));
    let repository =
        |address: &str| Repository { address: address.to_owned(), signed_by: field("Signed-By").cloned() };
    addresses.map(repository).collect()
}

/// The fields of one paragraph; a value keeps the lines it goes on in, as they are.
fn fields(lines: &[&str]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    fields
}

/// Reads `.list` files: `deb [option=value ...] address suite component...` (sources.list(5), "one-line-style").
fn parse_one_line(text: &str) -> Vec<Repository> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Repository> {
    let line = line.split('#').next()?.trim().strip_prefix("deb")?;
    let line = line.starts_with([' ', '\t']).then(|| line.trim_start())?;
    let (options, rest) = match line.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => ("", line),
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [address, suite, components @ ..] = words.as_slice() else { return None };
    let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    is_distribution(address, &[suite], components)
        .then(|| Repository { address: (*address).to_owned(), signed_by: signed_by.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(address: &str, signed_by: Option<&str>) -> Repository {
        Repository { address: address.to_owned(), signed_by: signed_by.map(str::to_owned) }
    }

    #[test]
    fn deb822_gives_the_distribution_without_its_security_updates() {
        let text = "# made by the installer\n\
                    Types: deb deb-src\nURIs: https://mirror.example/debian\nSuites: trixie trixie-updates\n\
                    Components: main contrib\nSigned-By: /usr/share/keyrings/a.gpg\n\n\
                    Types: deb\n# a comment in between\nURIs: https://mirror.example/security\nSuites: trixie-security\nComponents: main\n";
        assert_eq!(
            parse_deb822(text),
            [repository("https://mirror.example/debian", Some("/usr/share/keyrings/a.gpg"))]
        );
    }

    #[test]
    fn deb822_gives_each_of_several_addresses() {
        let text = "Types: deb\nURIs: https://one.example/debian\n https://two.example/debian\nSuites: sid\nComponents: main\n";
        let found: Vec<String> =
            parse_deb822(text).into_iter().map(|repository| repository.address).collect();
        assert_eq!(found, ["https://one.example/debian", "https://two.example/debian"]);
    }

    #[test]
    fn deb822_keeps_a_key_that_stands_in_the_file() {
        let text = "Types: deb\nURIs: https://mirror.example/debian\nSuites: sid\nComponents: main\n\
                    Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINB\n -----END PGP PUBLIC KEY BLOCK-----\n";
        let found = parse_deb822(text);
        let stanza = found[0].stanza("trixie-backports");
        assert_eq!(parse_deb822(&stanza), found);
        assert!(stanza.contains("\n .\n mQINB\n"), "{stanza}");
    }

    #[test]
    fn deb822_passes_over_what_is_no_binary_repository_in_use() {
        for text in [
            "Types: deb-src\nURIs: https://mirror.example/debian\nSuites: sid\nComponents: main\n",
            "Enabled: no\nTypes: deb\nURIs: https://mirror.example/debian\nSuites: sid\nComponents: main\n",
            "Types: deb\nURIs: https://mirror.example/tools\nSuites: /\n",
            "Types: deb\nURIs: https://mirror.example/tools\nSuites: sid\nComponents: stable\n",
            "no field here\n",
            "",
        ] {
            assert_eq!(parse_deb822(text), [], "{text:?}");
        }
    }

    #[test]
    fn one_line_with_and_without_options() {
        let text = "# a comment\n\
                    deb http://one.example/debian bookworm main contrib # the rest of a line\n\
                    deb [arch=amd64 signed-by=/usr/share/keyrings/b.gpg] http://two.example/debian sid main\n\
                    deb-src http://one.example/debian bookworm main\n\
                    deb cdrom:[Debian]/ bookworm main\n\
                    deb http://one.example/security bookworm-security main\n\
                    deb http://flat.example/ ./\n\
                    deb [unfinished http://three.example/debian sid main\n\
                    deb\n";
        assert_eq!(
            parse_one_line(text),
            [
                repository("http://one.example/debian", None),
                repository("http://two.example/debian", Some("/usr/share/keyrings/b.gpg"))
            ]
        );
    }

    #[test]
    fn a_stanza_without_a_key_leaves_it_to_the_machine() {
        assert_eq!(
            repository("http://one.example/debian", None).stanza("s"),
            "Types: deb\nURIs: http://one.example/debian\nSuites: s\nComponents: main\n"
        );
    }

    #[test]
    fn the_version_is_of_the_very_release() {
        let listed = " rust-src | 1.96.1+dfsg1-2~bpo13+1 | http://one.example/debian sid/main amd64 Packages\n \
                       rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://one.example/debian sid/main amd64 Packages\n";
        assert_eq!(matching_version(listed, "1.95.0"), Some("1.95.0+dfsg1-2~bpo13+1"));
        assert_eq!(matching_version(listed, "1.95.01"), None);
        assert_eq!(matching_version(listed, "1.9"), None);
        assert_eq!(matching_version("", "1.95.0"), None);
    }
}
