//! Which tests run in the guest, where everything takes some fifty times as long: a sample of every way through the
//! kernel in each run, more with `--full`.

use super::kernel::Kernel;

/// One test of the integration tests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Test {
    /// The test target that it is part of.
    pub(super) target: &'static str,
    pub(super) name: &'static str,
    /// Whether other programs contend for both CPUs meanwhile.
    pub(super) contended: bool,
    on: On,
    when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Every,
    /// With tcx, from 6.6.
    WithTcx,
    /// As on a kernel before 6.6, which one after it plays by refusing links.
    Clsact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Full,
}

impl Test {
    fn runs_on(&self, kernel: Kernel) -> bool {
        match self.on {
            On::Every => true,
            On::WithTcx => kernel == Kernel::Rt612,
            On::Clsact => kernel == Kernel::Rt61,
        }
    }
}

const fn live(name: &'static str, on: On, when: When) -> Test {
    Test { target: "live", name, contended: false, on, when }
}

const fn pins(name: &'static str, on: On, when: When) -> Test {
    Test { target: "pins", name, contended: false, on, when }
}

const fn contended(test: Test) -> Test {
    Test { contended: true, ..test }
}

static TESTS: &[Test] = &[
    Test {
        target: "doctor",
        name: "preempt_rt_is_named_as_the_kernel_names_it",
        contended: false,
        on: On::Every,
        when: When::Always,
    },
    contended(live("contending_cpus_lose_no_count", On::Every, When::Always)),
    contended(live("broken_frames_cost_themselves_alone", On::Every, When::Always)),
    live("at_xdp_everything_adds_up_while_pmus_stream", On::Every, When::Always),
    live("each_sleep_is_ended_by_one_wake_up", On::Every, When::Always),
    live("each_sleep_is_ended_by_one_wake_up_by_perf", On::Every, When::Full),
    live("perf_records_are_the_packets", On::Every, When::Full),
    live("what_perf_says_was_lost_is_counted_once", On::Every, When::Full),
    live("a_packet_above_64_kib_arrives_in_parts_by_perf", On::Every, When::Full),
    live("a_card_that_promises_stamps_and_gives_none_is_put_back", On::Every, When::Full),
    live("the_kernels_offsets_pass_the_self_test", On::Every, When::Full),
    live("what_the_ring_refuses_is_what_is_missing", On::Every, When::Full),
    contended(live("no_wake_up_is_lost", On::Every, When::Full)),
    live("no_program_is_near_the_verifiers_limit", On::Every, When::Full),
    live("at_xdp_a_jumbo_frame_arrives_whole", On::Every, When::Full),
    live("a_jumbo_frame_arrives_whole", On::Every, When::Full),
    live("fragments_are_counted_to_the_byte", On::Every, When::Full),
    live("a_packet_above_64_kib_arrives_in_parts", On::Every, When::Full),
    live("a_tcp_stream_in_any_pieces_is_decoded_whole", On::Every, When::Full),
    live("two_interfaces_are_told_apart", On::Every, When::Full),
    live("what_no_socket_takes_is_dropped_and_no_loss", On::Every, When::Full),
    live("on_any_port_other_protocols_are_named", On::Every, When::Full),
    live("at_xdp_on_any_port_other_protocols_are_named", On::Every, When::Full),
    live("killed_it_leaves_nothing_attached", On::WithTcx, When::Full),
    pins("clsact_a_life_from_attach_to_detach", On::Clsact, When::Always),
    pins("a_life_from_attach_to_detach", On::WithTcx, When::Always),
    pins("xdp_a_life_from_attach_to_detach", On::Every, When::Full),
    pins("an_upgrade_loses_no_packet", On::WithTcx, When::Full),
    pins("clsact_an_upgrade_loses_no_packet", On::Clsact, When::Full),
    pins("clsact_others_filters_stay", On::Clsact, When::Full),
    pins("clsact_goes_with_the_last_instance", On::Clsact, When::Full),
    // The last: the machine is another afterwards.
    live("a_cpu_that_goes_offline_degrades_the_run", On::WithTcx, When::Always),
];

/// What runs on a kernel.
pub(super) fn chosen(kernel: Kernel, full: bool, filter: Option<&str>) -> Vec<&'static Test> {
    let wanted = |test: &&Test| match filter {
        // Whoever asks for a test by name does not care how long it takes.
        Some(part) => test.name.contains(part),
        None => full || test.when == When::Always,
    };
    TESTS.iter().filter(|test| test.runs_on(kernel)).filter(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(kernel: Kernel, full: bool, filter: Option<&str>) -> Vec<&'static str> {
        chosen(kernel, full, filter).into_iter().map(|test| test.name).collect()
    }

    #[test]
    fn a_kernel_runs_what_it_can() {
        assert!(names(Kernel::Rt61, false, None).contains(&"clsact_a_life_from_attach_to_detach"));
        assert!(!names(Kernel::Rt61, true, None).contains(&"a_life_from_attach_to_detach"));
        assert!(names(Kernel::Rt612, false, None).contains(&"a_life_from_attach_to_detach"));
        for kernel in Kernel::ALL {
            let (sample, all) = (names(kernel, false, None), names(kernel, true, None));
            assert!(!sample.is_empty() && sample.len() < all.len());
            assert!(sample.iter().all(|name| all.contains(name)));
        }
    }

    #[test]
    fn asked_for_by_name_a_test_runs_whatever_it_takes() {
        assert_eq!(names(Kernel::Rt61, false, Some("no_wake_up")), ["no_wake_up_is_lost"]);
    }
}
