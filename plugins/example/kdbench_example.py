from kdbench import Offer, hookimpl


class Loudest:
    def weigh(self, signal):
        return signal.losses.mean(dim=1).softmax(dim=0)  # [T, B] → [T], summing to one


@hookimpl
def kdbench_strategies():
    return [Offer("loudest", Loudest, "more weight to teachers further from the student")]
