"""The pages of what a resumed training did not get back: found by `reprocheck resume`."""

from __future__ import annotations

from reprocheck.diagnosis.rules.model import ERROR, Page

_LIMITS = "Named only where the state at the resumption shows it, or the first steps after it can have no other cause."

_LOADED = "state = torch.load(path)\nmodel.load_state_dict(state['model'])"

_TABLE = (
    ("parameters", "the parameters are not those that were saved", "The parameters before the first step.",
     "Training goes on from other weights than those at which it stopped.",
     "torch.save(model.state_dict(), path)  # before optimizer.step()",
     "save and load the state_dict of the model after the last change of the step"),
    ("optimizer-state", "the state of the optimizer is not restored", "Momentum, moments and step counts.",
     "The first steps after the resumption are taken with momentum and moments of zero.", _LOADED,
     "save and load `optimizer.state_dict()`, too"),
    ("optimizer-settings", "settings of the optimizer are not restored", "Learning rates, betas and weight decay.",
     "The same gradients give other steps.", "for group in optimizer.param_groups:\n    group['lr'] *= 0.1",
     "restore the optimizer from its state_dict after all changes of its settings"),
    ("scheduler", "the scheduler is not restored", "Learning rates of the steps after the resumption.",
     "The schedule begins again: the learning rate is that of another step.", _LOADED,
     "save and load `scheduler.state_dict()`, and make the scheduler before loading"),
    ("scaler", "the gradient scaler is not restored", "Scale and growth counter of `torch.amp.GradScaler`.",
     "Steps are skipped or taken with another scale.", _LOADED, "save and load `scaler.state_dict()`, too"),
    ("rng", "generators are not restored", "The states of the generators of python, numpy and torch.",
     "Dropout, augmentation and shuffling draw different numbers than without the stop.", _LOADED,
     "save and load the states of the generators: torch.get_rng_state(), random.getstate(), numpy's, CUDA's"),
    ("loader-position", "the data does not continue where it stopped", "The batches of the steps after the resumption.",
     "Samples of the epoch are seen twice, and others not at all.",
     "for batch in loader:  # from the start of the epoch\n    step(batch)",
     "save how many batches of the epoch were used and skip them, with the order of that epoch: its number, or the "
     "state of the loader's generator"),
    ("epoch-counter", "the count of epochs or steps is not restored", "The number of steps that are still taken.",
     "The resumed training is longer or shorter than the one that was not stopped.",
     "for epoch in range(epochs):  # from 0\n    train_one(epoch)",
     "save the number of the next epoch and of the next batch in it, and start the loop from there"),
    ("mode", "the model resumes in a different mode", "Train and eval mode of the models in the first step.",
     "Dropout and batch norm compute different values.", "model.eval()  # and no model.train() after loading",
     "call `model.train()` after loading, as before the first step"),
    ("frozen", "other parameters are trained", "`requires_grad` of the parameters.",
     "Layers that were frozen or unfrozen on the way are not, after the resumption.",
     "if epoch == 3:\n    backbone.requires_grad_(True)",
     "freeze and unfreeze by the number of the step, not once on the way: a state_dict has no `requires_grad`"),
    ("buffers", "buffers are not restored", "Running means and variances, and other buffers of the models.",
     "Batch norm starts from its first figures again.", "torch.save(list(model.parameters()), path)",
     "save `model.state_dict()`, which has the buffers, not `model.parameters()` alone"),
    ("ema", "averaged weights are not restored", "Averaged models, where they are saved or returned.",
     "The average forgets all steps before the resumption.", _LOADED, "save and load the averaged model, too"),
    ("averaging", "the averaging of weights does not continue", "Averaged models, loaded equal, that differ later.",
     "The steps after the resumption get a different weight in the average.",
     "ema.load_state_dict(state)  # of the model in it",
     "save and load the counter or schedule of the averaging, too (`n_averaged`, the number of updates), or the "
     "state_dict of the averaging object, not that of the model in it"),
    ("other-state", "something that is kept over steps is not restored", "What is saved or returned at the end.",
     "A result differs although every step was equal.", "history = []  # a list that starts empty again",
     "save what is kept over steps: averaged weights, running sums, histories"),
    ("unknown", "the resumed training differs, and it is not known why", "Every step after the resumption.",
     "The resumed run is another training.", "x = augment(x, step)  # a step that is counted from 0 again",
     "compare by hand what goes into this step: epoch- and step-dependent values, modes, states of your own"),
)  # fmt: skip

PAGES = tuple(
    Page(
        code=f"RC{801 + number}",
        slug=slug,
        title=title,
        severity=ERROR,
        checks=checks,
        why=why,
        example=example,
        fix=fix,
        limits=_LIMITS,
    )
    for number, (slug, title, checks, why, example, fix) in enumerate(_TABLE)
)
PAGE_OF = {page.slug: page for page in PAGES}
