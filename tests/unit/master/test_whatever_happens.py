"""Whatever happens to workers, gateways, messages and the master: the book is right, the job ends, each
reduce is staged once."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mapreduce import history
from mapreduce.spec import Limits
from mapreduce_operator.core import events
from tests.support import budget
from tests.support.history_checker import check
from tests.support.master_builder import JobUnderTest
from tests.support.master_fakes import FakeWorker

PICK = st.integers(0, 1000)
MAPS, REDUCERS = 4, 3


class AnyTrouble(RuleBasedStateMachine):
    """Random troubles; `teardown` lets the job end in peace and looks at the result."""

    def __init__(self):
        super().__init__()
        self.user_failures = 0

    def pick(self, number, choices):
        return choices[number % len(choices)] if choices else None

    @initialize(
        phase=st.sampled_from(["Pending", "Mapping", "Reducing"]), separate_input=st.booleans(), slots=st.integers(1, 2)
    )
    def the_job_got_so_far(self, phase, separate_input, slots):
        limits = Limits(pre_running_deadline=1e9, disruptions_in_a_row=200)
        self.job = JobUnderTest(
            maps=MAPS, reducers=REDUCERS, workers=3, slots=slots, separate_input=separate_input, limits=limits
        )
        if phase == "Mapping":
            self.job.until_mapping()
        elif phase == "Reducing":
            self.job.until_reducing()

    # --- the ordinary course ----------------------------------------------------------------

    @rule()
    def messages_are_delivered(self):
        self.job.settle()

    @rule(pick=PICK)
    def somebody_exchanges_once(self, pick):
        process = self.pick(pick, self.job.living())
        if process is None:
            return
        if process.session:
            self.job.exchange(process)
        else:
            self.job.register(process)

    @rule(pick=PICK)
    def an_attempt_succeeds(self, pick):
        chosen = self.pick(pick, self.attempts())
        if chosen is not None:
            worker, attempt = chosen
            worker.succeed(attempt)

    @rule(seconds=st.sampled_from([0.5, 2.0, 4.0]))
    def time_goes_by(self, seconds):
        self.job.pass_time(seconds)

    @rule()
    def everything_makes_progress(self):
        self.job.settle()
        self.job.work()

    # --- troubles ---------------------------------------------------------------------------

    @rule(pick=PICK)
    def a_process_is_killed(self, pick):
        process = self.pick(pick, self.job.living())
        if process is not None:
            self.job.kill(process)

    @rule(pick=PICK)
    def a_process_dies_and_nobody_tells(self, pick):
        process = self.pick(pick, self.job.living())
        if process is not None:
            process.alive = False

    @rule(pick=PICK)
    def a_pod_is_deleted_softly(self, pick):
        process = self.pick(pick, self.job.workers)
        if process is not None:
            self.job.see(process, state="ending")

    @rule(pick=PICK, count=st.integers(1, 3))
    def answers_are_lost(self, pick, count):
        process = self.pick(pick, self.job.living())
        if process is not None:
            process.answers_to_lose = count

    @rule(pick=PICK)
    def an_exchange_comes_twice(self, pick):
        process = self.pick(pick, [process for process in self.job.living() if process.session])
        if process is not None:
            body, session = process.exchange(), process.session
            self.job.exchange(process)
            self.job.tell(events.Exchanged(request=next(self.job.numbers), session=session, body=body))
            process.request = 0

    @rule(pick=PICK)
    def a_session_is_forgotten(self, pick):
        process = self.pick(pick, self.job.living())
        if process is not None:
            process.cut_off()

    @rule(pick=PICK)
    def somebody_falls_silent_or_speaks_again(self, pick):
        process = self.pick(pick, self.job.living())
        if process is not None:
            process.mute = not process.mute

    @rule(pick=PICK)
    def a_worker_process_starts_again_with_an_empty_disk(self, pick):
        worker = self.pick(pick, self.job.workers)
        if worker is not None:
            worker.start_again()

    @rule()
    def the_master_starts_again(self):
        self.job.restart_master()

    @rule()
    def the_master_starts_again_and_hears_from_workers_first(self):
        self.job.start_master(resumed=True)
        self.job.settle()
        self.job.list_pods()

    @rule()
    def the_pods_are_listed(self):
        self.job.list_pods()

    @rule(kind=st.sampled_from(["journal", "open", "plan", "stage", "publish"]))
    def the_store_is_slow(self, kind):
        self.job.held ^= {kind}

    @rule(pick=PICK)
    def an_attempt_is_disrupted(self, pick):
        chosen = self.pick(pick, self.attempts())
        if chosen is not None:
            chosen[0].fail(chosen[1], kind="disruption", reason="SlotKilled")

    @precondition(lambda self: self.user_failures < 3)
    @rule(pick=PICK)
    def user_code_fails(self, pick):
        chosen = self.pick(pick, self.attempts())
        if chosen is not None:
            self.user_failures += 1
            chosen[0].fail(chosen[1], message=f"ValueError: {self.user_failures}")

    @rule(pick=PICK, map_index=PICK)
    def a_reducer_complains(self, pick, map_index):
        reduces = [(worker, attempt) for worker, attempt in self.attempts(any_state=True) if worker.places]
        chosen = self.pick(pick, [pair for pair in reduces if pair[1].task.kind == "reduce"])
        if chosen is None:
            return
        worker, attempt = chosen
        index = self.pick(map_index, sorted(worker.places))
        outputs = self.job.master.book.outputs
        if outputs.count and outputs.holder[index] >= 0:
            worker.complain(attempt, self.job.master.book.registry.by_number(outputs.holder[index]).name, [index])

    # --- what must hold -----------------------------------------------------------------------

    def attempts(self, any_state=False):
        return [
            (worker, attempt)
            for worker in self.job.workers
            for attempt in worker.active
            if any_state or worker.can_finish(attempt)
        ]

    @invariant()
    def no_part_is_staged_twice(self):
        assert all(times == 1 for times in self.job.store.staged_times.values())

    @invariant()
    def the_job_has_not_failed(self):
        assert self.job.ended in (None, "Succeeded"), self.job.status

    def teardown(self):
        self.job.held.clear()
        for process in self.job.processes.values():
            process.answers_to_lose = 0
            process.mute = False
        assert self.job.run_to_the_end() == "Succeeded"
        assert self.job.store.published
        events_seen = history.parse(b"".join(history.render(self.job.store.frames)))
        problems = check(events_seen, maps=0, reduces=REDUCERS)
        assert problems == [], problems
        assert sum(isinstance(process, FakeWorker) for process in self.job.processes.values()) >= 3


TestWhateverHappens = AnyTrouble.TestCase
TestWhateverHappens.settings = settings(
    budget.examples(15), stateful_step_count=25, suppress_health_check=list(HealthCheck)
)
