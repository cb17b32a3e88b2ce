"""The systems of the field that kdbench implements: what of each is here, and the suite that runs it. All else of their tables
follows from the plugins' offers, the suites and the records."""

from __future__ import annotations

from dataclasses import dataclass

from kdbench.contracts.offer import Status


@dataclass(frozen=True)
class System:
    """`plugins` are kinds and names; the first has the system's source, `status` is for those whose offers have none.

    `row` of the suite is the system, by `RunSpec.cell_label`; `baselines` lack a part of it each, and all rows of the suite
    are compared with the first of them. Both are empty where another page shows the suite's results.
    """

    name: str
    here: str
    plugins: tuple[str, ...]
    suite: str
    status: Status = ""
    row: str = ""
    baselines: tuple[str, ...] = ()


SYSTEMS = (
    System(
        "AMMKD",
        "Gradient-diversity weights as a quadratic programme, class vectors, and a fusion network in training only. The full "
        "text is not openly available: weights follow AE-KD, the network its abstract.",
        ("strategy ammkd", "objective class_vector_kl", "student fusion"),
        "ammkd",
    ),
    System(
        "RL-KD",
        "Reinforced selection of teachers in three stages, and the rows U-Ensemble, Rand-Single, W-Ensemble and Best-Single of "
        "its tables. LR-Dev, a logistic regression on development data, is left out: what it predicts could not be found out.",
        ("strategy rl_select", "strategy equal", "strategy random", "strategy fixed", "strategy best_of"),
        "rl-kd",
        row="three stages · resnet-24px · good+mediocre+shuffled · RL",
        baselines=(
            "one stage · resnet-24px · good+mediocre+shuffled · U-Ensemble",
            "three stages · resnet-24px · good+mediocre+shuffled · U-Ensemble",
            "one stage · resnet-24px · good+mediocre+shuffled · Rand-Single",
            "one stage · resnet-24px · good+mediocre+shuffled · W-Ensemble",
            "one stage · resnet-24px · good+mediocre+shuffled · Best-Single",
            "one stage · resnet-24px · good",
            "one stage · resnet-24px · no distillation",
        ),
    ),
    System("MTKD-RL", "The agent that weights teachers per sample.", ("strategy mtkd_rl",), "strategies"),
    System(
        "CLIP-KD",
        "Its losses CRD, FD and ICL; MFD, GD and AFD are not here.",
        ("objective relational_kl", "objective feature", "objective interactive"),
        "emoji",
    ),
    System(
        "PUMA",
        "Both stages, for two-tower models: each tower keeps its first layers. The language model of the paper is not here.",
        ("student layer_pruned", "objective self_distill", "objective mac"),
        "puma",
        row="first 2 layers · whole",
        baselines=("2 new layers · whole", "first 2 layers · no distillation", "2 new layers · no distillation"),
    ),
    System(
        "EMTAL",
        "FFNs as experts with low-rank additions, faded into a dense model; weights that retain quality; a bank of teachers' "
        "outputs (`class_vector_kl` with `bank: all`).",
        ("student moefied_lora", "strategy quality_retaining"),
        "emtal",
        row="moefied LoRA · lite0+lite2 · quality_retaining",
        baselines=(
            "LoRA · lite0+lite2 · equal",
            "LoRA · lite0+lite2 · quality_retaining",
            "moefied LoRA · lite0+lite2 · equal",
            "fine-tuned · lite0+lite2 · quality_retaining",
            "moefied LoRA · no distillation",
        ),
    ),
    System(
        "AdapMTL",
        "Learned soft thresholds for each tower and projection, and weights by the relative change of losses.",
        ("student soft_threshold", "strategy relative_change"),
        "adapmtl",
        row="pruned · lite0+lite2 · relative_change",
        baselines=(
            "dense · lite0+lite2 · equal",
            "dense · lite0+lite2 · relative_change",
            "pruned · lite0+lite2 · equal",
            "pruned · no distillation",
        ),
    ),
    System(
        "MCAD",
        "A dual-stream teacher fused with a small single-stream one, which is trained here. It warns with its entropy, because "
        "it has seen both of a pair.",
        ("teacher fused",),
        "mcad",
        row="resnet-24px · fused",
        baselines=("resnet-24px · dual", "resnet-24px · no distillation"),
    ),
    System(
        "PMF",
        "Query, query context and fusion context prompts in the last layers of two frozen towers, as the fusion of a dual-"
        "stream teacher. Its classifiers are not here.",
        ("teacher pmf",),
        "mcad",
        row="resnet-24px · pmf",
        baselines=("resnet-24px · dual", "resnet-24px · fused", "resnet-24px · no distillation"),
    ),
    System(
        "OKD",
        "A frozen teacher with low-rank factors that learn beside the student. The language models of the paper are not here.",
        ("teacher online_adapter",),
        "okd",
        row="resnet-24px · online",
        baselines=("resnet-24px · frozen", "resnet-24px · task-only", "resnet-24px · no distillation"),
    ),
    System(
        "MMLoRA",
        "Towers fine-tuned apart, frozen, and joined by low-rank additions; `lora` is the same without the first two.",
        ("student mmlora", "student lora"),
        "mmlora",
        row="MMLoRA · lite0+lite2 · equal",
        baselines=("LoRA · lite0+lite2 · equal", "fine-tuned · lite0+lite2 · equal", "MMLoRA · no distillation"),
    ),
    System(
        "L-LoRA and merging",
        "Linearised low-rank additions, one student for each teacher, merged by their mean, task arithmetic or TIES.",
        ("student l_lora", "student merged"),
        "fusion-of-students",
        row="merged · merged: mean · no distillation",
        baselines=(
            "all at once · distilled · lite0+lite2 · equal",
            "merged · merged: mean, half the epochs · no distillation",
            "all at once · distilled · lite0",
            "all at once · distilled · lite2",
            "all at once · distilled · no distillation",
        ),
    ),
    System(
        "MH-CVSE",
        "Multi-head self-attention pooling with gates, consensus concepts of the captions, and weights by the losses.",
        ("student consensus_pooling", "strategy loss_value"),
        "mh-cvse",
        row="pooled + concepts · lite0+lite2 · loss_value",
        baselines=(
            "plain · lite0+lite2 · equal",
            "plain · lite0+lite2 · loss_value",
            "pooled · lite0+lite2 · loss_value",
            "pooled + concepts · lite0+lite2 · equal",
            "pooled + concepts · no distillation",
        ),
    ),
    System(
        "Feature-alignment KD",
        "Hidden states by a uniform layer map, attention maps, and KL, for both towers. The language models of the paper are "
        "not here.",
        ("objective feature_alignment",),
        "feature-alignment",
        row="hidden states and attention · resnet-24px · large",
        baselines=("outputs · resnet-24px · large", "no distillation · resnet-24px · no distillation"),
    ),
    System(
        "SDKD",
        "Navier–Stokes and fields from files, ST-AlterNet, SimVP, U-Net and MLP-Mixer, spectral alignment of latent maps, and "
        "its weights, the quadratic programme of `ammkd`. The layers of ST-AlterNet and all sizes are ours.",
        (
            "objective frequency",
            "strategy ammkd",
            "student st_alternet",
            "student simvp",
            "student unet",
            "student mlp_mixer",
        ),
        "navier-stokes",
        row="both bands · mixer-32 · simvp+st_alternet · ammkd",
        baselines=(
            "both bands · mixer-32 · no distillation",
            "plain MSE · mixer-32 · simvp+st_alternet · ammkd",
            "plain features · mixer-32 · simvp+st_alternet · ammkd",
            "low band alone · mixer-32 · simvp+st_alternet · ammkd",
            "high band alone · mixer-32 · simvp+st_alternet · ammkd",
            "both bands · mixer-32 · simvp+st_alternet · equal",
        ),
    ),
    System(
        "SDKD's alignment in retrieval",
        "The spectral alignment, on feature maps of image towers.",
        ("objective frequency",),
        "feature-alignment",
        row="bands of maps · resnet-24px · large",
        baselines=("outputs · resnet-24px · large", "no distillation · resnet-24px · no distillation"),
    ),
    System(
        "EUPE",
        "The proxy: a team is distilled into a large student, which teaches a small one. Its models and data are not here.",
        ("teacher trained",),
        "eupe",
        status="reconstruction",
        row="resnet-24px · proxy",
        baselines=(
            "resnet-24px · lite0+lite2 · equal",
            "resnet-24px · untaught",
            "resnet-24px · lite0",
            "resnet-24px · lite2",
            "resnet-24px · no distillation",
        ),
    ),
)
