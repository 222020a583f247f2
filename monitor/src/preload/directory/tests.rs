use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use monitor_core::protocol::c37118::{FrameView, NominalFrequency, encode::reseal};
use tempfile::TempDir;

use super::*;
use crate::simulate::{Fleet, FleetPlan, Frames, ReportingInstant, ReportingRate};

/// A CFG-2 of a simulated PMU.
fn config() -> Vec<u8> {
    let plan = FleetPlan { seed: 1, pmus: 1, first_idcode: 60, nominal: NominalFrequency::Hz50 };
    let fleet = Fleet::new(&plan).expect("a fleet");
    let mut frames = Frames::new(fleet.stations()[0].clone(), ReportingRate::FIFTY).expect("frames");
    let instant = ReportingInstant::at_or_after(1_700_000_000_000_000_000, ReportingRate::FIFTY);
    frames.config2(instant.time_tag()).expect("a configuration").to_vec()
}

fn idcode() -> u16 {
    FrameView::new(&config()).expect("a frame").idcode().0
}

fn key(last: u8) -> SourceKey {
    let address = IpAddr::from([192, 0, 2, last]);
    SourceKey { address: monitor_core::event::Endpoint::new(address, 0).address, idcode: idcode() }
}

fn place() -> (TempDir, StateDirectory) {
    let place = TempDir::new().expect("a directory");
    let state = StateDirectory::below(place.path());
    (place, state)
}

#[test]
fn what_is_kept_is_found_again() {
    let (_place, state) = place();
    assert!(state.load().preloads.is_empty(), "a directory that does not exist is no complaint");
    assert!(state.load().complaints.is_empty());
    state.keep(&key(1), &config()).expect("kept");
    state.keep(&key(2), &config()).expect("kept");
    let loaded = state.load();
    assert!(loaded.complaints.is_empty(), "{:?}", loaded.complaints);
    let mut addresses: Vec<_> = loaded.preloads.iter().map(|one| one.address().expect("bound")).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, [key(1).address, key(2).address]);
    assert!(loaded.preloads.iter().all(|one| one.from() == ConfigSource::Cached && one.bytes() == config()));
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(state.path()), 0o700);
    assert_eq!(mode(&state.path().join(name_of(&key(1)))), 0o600);
    assert_eq!(fs::read_dir(state.path()).expect("there").count(), 2, "nothing unfinished is left");
}

#[test]
fn names_say_whose_they_are_in_one_way_only() {
    let six = SourceKey { address: "2001:db8::1".parse::<Ipv6Addr>().expect("one").octets(), idcode: 60 };
    for (key, name) in
        [(key(1), format!("192.0.2.1_{}.frame", idcode())), (six, "2001:db8::1_60.frame".into())]
    {
        assert_eq!(name_of(&key), name);
        assert_eq!(key_of(&name), Some(key));
    }
    for name in
        ["192.0.2.1_060.frame", "2001:DB8::1_60.frame", "::ffff:192.0.2.1_7.frame", "192.0.2.1.frame", "x"]
    {
        assert_eq!(key_of(name), None, "{name}");
    }
}

#[test]
fn what_cannot_be_used_is_named_and_costs_nothing_else() {
    let (_place, state) = place();
    state.keep(&key(1), &config()).expect("kept");
    let put = |name: &str, bytes: &[u8]| fs::write(state.path().join(name), bytes).expect("written");
    let good = config();
    let mut corrupt = good.clone();
    corrupt[30] ^= 1;
    let mut other = good.clone();
    other[5] ^= 1;
    reseal(&mut other);
    let name = |last: u8| name_of(&key(last));
    put(&name(2), &good[..100]);
    put(&name(3), &corrupt);
    put(&name(4), &[]);
    put(&name(5), &vec![0xAA; usize::try_from(FRAME_FILE_MAX).expect("small") + 1]);
    put(&name(6), &other);
    put("notes.txt", b"mine");
    fs::create_dir(state.path().join(name(7))).expect("made");
    std::os::unix::fs::symlink(state.path().join(name(1)), state.path().join(name(8))).expect("made");
    let _socket = UnixListener::bind(state.path().join(name(9))).expect("made");
    let loaded = state.load();
    assert_eq!(loaded.preloads.len(), 1);
    for last in 2..=9 {
        let named = loaded.complaints.iter().any(|one| one.contains(&name(last)));
        assert!(
            named || loaded.complaints.iter().any(|one| one.contains("more files")),
            "{last}: {loaded:?}"
        );
    }
    assert!(loaded.complaints.iter().any(|one| one.contains("notes.txt")), "{loaded:?}");
    assert_eq!(fs::read(state.path().join("notes.txt")).expect("still there"), b"mine");
}

#[test]
fn the_oldest_go_beyond_the_bound() {
    let (_place, state) = place();
    let numbered = |number: usize| SourceKey {
        address: Ipv6Addr::from(u128::try_from(number + 1).expect("small") << 64).octets(),
        idcode: idcode(),
    };
    state.keep(&numbered(0), &config()).expect("kept");
    let now = SystemTime::now();
    for number in 0..CACHED_MAX {
        let path = state.path().join(name_of(&numbered(number)));
        fs::write(&path, config()).expect("written");
        let age = Duration::from_secs(u64::try_from(CACHED_MAX - number).expect("small"));
        File::options().write(true).open(&path).and_then(|file| file.set_modified(now - age)).expect("aged");
    }
    fs::write(state.path().join("notes.txt"), b"mine").expect("written");
    state.keep(&numbered(CACHED_MAX), &config()).expect("kept");
    let names: Vec<_> = state.list(&mut Vec::new()).expect("there").into_iter().map(|one| one.key).collect();
    assert_eq!(names.len(), CACHED_MAX);
    assert!(
        !names.contains(&numbered(0))
            && names.contains(&numbered(1))
            && names.contains(&numbered(CACHED_MAX))
    );
    assert!(state.path().join("notes.txt").exists(), "what is not ours is left alone");
}

#[test]
fn what_was_left_unfinished_goes_and_what_is_being_written_stays() {
    let (_place, state) = place();
    state.keep(&key(1), &config()).expect("kept");
    let [old, new] = [".a.1.new", ".b.2.new"].map(|name| state.path().join(name));
    for path in [&old, &new] {
        fs::write(path, b"half").expect("written");
    }
    let long_ago = SystemTime::now() - 2 * ABANDONED_AFTER;
    File::options().write(true).open(&old).and_then(|file| file.set_modified(long_ago)).expect("aged");
    assert!(state.load().complaints.is_empty());
    assert!(!old.exists() && new.exists());
}

#[test]
fn where_nothing_can_be_written_is_named() {
    let (place, _) = place();
    fs::write(place.path().join("file"), b"").expect("written");
    let state = StateDirectory::below(&place.path().join("file"));
    let error = state.keep(&key(1), &config()).expect_err("no directory there");
    assert!(error.contains("file/configs/192.0.2.1"), "{error}");
    let complaints = state.load().complaints;
    assert!(complaints.len() == 1 && complaints[0].contains("--state-dir"), "{complaints:?}");
}

#[test]
fn the_environment_says_where() {
    let by = |variables: &[(&str, &str)], is_root| {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| PathBuf::from(value))
        };
        StateDirectory::by_environment(variable, is_root).map(|state| state.path)
    };
    let some = |path: &str| Some(PathBuf::from(path));
    assert_eq!(by(&[("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")], true), some("/var/lib/a/configs"));
    assert_eq!(by(&[("STATE_DIRECTORY", "")], true), None, "none is wanted");
    assert_eq!(by(&[("HOME", "/root")], true), some("/var/lib/pmu-monitor/configs"));
    assert_eq!(by(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")], false), some("/s/pmu-monitor/configs"));
    assert_eq!(
        by(&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")], false),
        some("/h/.local/state/pmu-monitor/configs")
    );
    assert_eq!(by(&[], false), None);
}
