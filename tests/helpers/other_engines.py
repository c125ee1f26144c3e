"""Models of lm-eval whose weights are elsewhere, as those of another inference engine are."""

from lm_eval.api.model import LM

from helpers.neuron_sets import SHAPE


class Elsewhere(LM):
    """Answers as an engine would that has the weights elsewhere: worse for each neuron that is off."""

    show_progress, identity, fingerprint, dtype, shape = True, "i", "f", "torch.float32", SHAPE

    def __init__(self):
        super().__init__()
        self.masked, self.truncated, self.engine = None, {}, {"name": "an engine", "version": "1"}
        self.off, self.done, self.checked = 0, [], []

    def mask(self, what):
        self.off, self.masked = len(what.neurons), {"by": "an engine", "digest": what.digest}
        self.done.append(self.off)

    def unmask(self):
        self.off, self.masked = 0, None
        self.done.append(0)

    def check_tasks(self, tasks):
        self.checked.append([task.config.task for task in tasks])

    def forget_truncated(self):
        pass

    def note_truncated(self, request_type, requests):
        pass

    def loglikelihood_rolling(self, requests):
        return [-float(len(request.args[0])) * (1 + self.off) for request in requests]

    def loglikelihood(self, requests):
        raise NotImplementedError

    generate_until = loglikelihood
