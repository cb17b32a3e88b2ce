"""Mutants of data and what is kept of them: folds, views, encodings, cache keys, digests, checkpoints."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DEAL = "kdbench/data/deal.py"
FOLDED = "kdbench/data/folded.py"
DATASET = "kdbench/data/dataset.py"
ENCODING = "kdbench/data/encoding.py"
VIEW = "kdbench/data/view.py"
CAPTIONS = "kdbench/data/viewed_captions.py"
PICKED = "kdbench/data/picked.py"
CACHE = "kdbench/storage/cache.py"
CHECKPOINT = "kdbench/storage/checkpoint.py"
DIGEST = "kdbench/storage/digest.py"
CONTENT = "kdbench/storage/content_digest.py"
OF_DEAL = ("tests/data/test_deal.py",)
OF_FOLDED = ("tests/data/test_folded.py",)
OF_DATASET = ("tests/data/test_dataset.py",)
OF_ENCODING = ("tests/data/test_encoding.py::test_only_what_is_whole_is_kept",)
OF_VIEW = ("tests/data/test_view.py",)
OF_CAPTIONS = ("tests/data/test_viewed_captions.py",)
OF_CHECKPOINT = ("tests/storage/test_checkpoint.py",)
OF_CONTENT = ("tests/storage/test_content_digest.py",)
OF_KEYS = ("tests/storage/test_cache.py::test_the_key_follows_the_identity_and_the_kind",)

MUTANTS = (
    # Folds
    Mutant("what is tested is trained on too", DEAL, "for step in range(1, of)", "for step in range(of)", OF_DEAL),
    Mutant("all folds test the same concepts", DEAL, '"test": parts[index]}', '"test": parts[0]}', OF_DEAL),
    Mutant("what is validated on is trained on too", DEAL, '"train": rest[taken:]', '"train": rest', OF_DEAL),
    Mutant(
        "groups of concepts are torn apart", DEAL, 'groups.get(concept, f"concept {concept}")', 'f"concept {concept}"', OF_DEAL
    ),
    Mutant("parts grow uneven", DEAL, "filled.index(min(filled))", "filled.index(max(filled))", OF_DEAL),
    Mutant(
        "what is trained for one fold serves all",
        FOLDED,
        "digest_of([self._whole.content, self._places.identity])",
        "digest_of([self._whole.content])",
        OF_FOLDED,
    ),
    Mutant(
        "rows of a fold are not in its order",
        FOLDED,
        'np.argsort(of_items[places], kind="stable")',
        "np.arange(len(places))",
        OF_FOLDED,
    ),
    Mutant(
        "all views of a fold are the first",
        FOLDED,
        "[view * self._total(image) + places for",
        "[0 * self._total(image) + places for",
        OF_FOLDED,
    ),
    Mutant(
        "views of a fold are drawn by its own rows",
        FOLDED,
        '(self._places.images if images else self._places.captions)["train"]',
        'np.arange(len((self._places.images if images else self._places.captions)["train"]))',
        OF_FOLDED,
    ),
    Mutant(
        "weights of captions go astray",
        FOLDED,
        "np.concatenate([_weights(split) for split in own])[captions]",
        "np.concatenate([_weights(split) for split in own])[: len(captions)]",
        OF_FOLDED,
    ),
    Mutant(
        "rows are of the part before",
        PICKED,
        'part_of = np.searchsorted(self._starts, places, side="right") - 1',
        'part_of = np.maximum(np.searchsorted(self._starts, places, side="left") - 1, 0)',
        ("tests/data/test_picked.py",),
    ),
    # Views
    Mutant(
        "views are the same in all datasets",
        VIEW,
        "digest_of([FORMAT, dataset, made_of])",
        "digest_of([FORMAT, made_of])",
        OF_VIEW,
    ),
    Mutant("pictures are cropped and not mirrored", VIEW, "pixels = pixels.flip(2)", "pixels = pixels.flip(0)", OF_VIEW),
    Mutant(
        "words left out are the same in all datasets",
        CAPTIONS,
        "digest_of([FORMAT, dataset, views.drop_words])",
        "digest_of([FORMAT, views.drop_words])",
        OF_CAPTIONS,
    ),
    Mutant(
        "words left out are the same in all views",
        CAPTIONS,
        "counter=[0, 0, view, caption]",
        "counter=[0, 0, 0, caption]",
        OF_CAPTIONS,
    ),
    Mutant(
        "words left out are the same in all captions",
        CAPTIONS,
        "counter=[0, 0, view, caption]",
        "counter=[0, 0, view, 0]",
        OF_CAPTIONS,
    ),
    # Cache keys
    Mutant("encodings of all splits are one", DATASET, '"split": name,', '"split": "train",', OF_DATASET),
    Mutant(
        "encodings of all datasets are one",
        DATASET,
        '{"dataset": self.digest} if originals',
        '{"dataset": ""} if originals',
        OF_DATASET,
    ),
    Mutant("encodings of all encoders are one", DATASET, '"encoder": encoder.key,', '"encoder": "",', OF_DATASET),
    Mutant("encodings of all bases are one", DATASET, '"bases": keys_of(encoder)[1:],', '"bases": [],', OF_DATASET),
    Mutant(
        "encodings of all views are one",
        DATASET,
        '{"views": views.identity} if views',
        '{"views": ""} if views',
        OF_DATASET,
    ),
    Mutant(
        "decoded datasets of all fingerprints are one",
        DATASET,
        '"fingerprint": self.source.fingerprint,',
        '"fingerprint": "",',
        OF_DATASET,
    ),
    Mutant(
        "the digest of a dataset leaves out a file",
        DATASET,
        "for name, file in self.decoded.files.items() if name not in beside}",
        'for name, file in self.decoded.files.items() if name not in beside and "caption" not in name}',
        OF_DATASET,
    ),
    Mutant("a half-written chunk is kept", ENCODING, "* width)) == written:", "* width)) or True:", OF_ENCODING),
    Mutant(
        "the order of keys makes another digest",
        DIGEST,
        "json.JSONEncoder(sort_keys=True,",
        "json.JSONEncoder(sort_keys=False,",
        ("tests/storage/test_cache.py::test_the_digest_follows_the_value_and_not_the_order_of_keys",),
    ),
    Mutant(
        "keys are short",
        CACHE,
        "folder = self.root / kind / digest_of(identity)[:24]",
        "folder = self.root / kind / digest_of(sorted(identity))[:24]",
        OF_KEYS,
    ),
    Mutant(
        "an altered entry is served",
        CACHE,
        'if found != expected["sha256"]:',
        "if not found:",
        ("tests/storage/test_cache.py::test_damage_is_noticed_told_and_mended",),
    ),
    Mutant(
        "an entry in the place of another is served",
        CACHE,
        "[:24]) != folder.name:",
        '[:24]) == "":',
        ("tests/storage/test_cache.py::test_an_entry_in_the_place_of_another_is_made_again",),
    ),
    Mutant(
        "names of files do not count",
        CONTENT,
        "digest_of([[name, digest] for (name, _), digest",
        "digest_of([digest for (name, _), digest",
        OF_CONTENT,
    ),
    Mutant(
        "a file that keeps its size and time is not read again",
        CONTENT,
        "found.st_mtime_ns, found.st_ctime_ns, found.st_ino",
        "found.st_mtime_ns, 0, 0",
        OF_CONTENT,
    ),
    # Checkpoints
    Mutant(
        "an altered checkpoint is read",
        CHECKPOINT,
        "if (found := _digest(header, tensors)) != stated:",
        'if (found := _digest(header, tensors)) == "":',
        OF_CHECKPOINT,
    ),
    Mutant("a checkpoint of another training is resumed", CHECKPOINT, "why = self.changes(origin)", 'why = ""', OF_CHECKPOINT),
)
