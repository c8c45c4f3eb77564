"""The methods: what they train, and that what they export gives the same states again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from rejoinder.errors import SettingsError
from rejoinder.models.adapters.adalora.settings import AdaLoRASettings
from rejoinder.models.adapters.full.settings import FullSettings
from rejoinder.models.adapters.lora.settings import LoRASettings
from rejoinder.models.adapters.method import METHODS, Attachment, find_method, make_settings
from rejoinder.models.adapters.peft_model import PREFIX
from rejoinder.models.adapters.prefix_tuning.settings import PrefixTuningSettings
from transformers import BertModel

IDS = torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
TYPES = torch.zeros_like(IDS)
WANTED = torch.linspace(-1, 1, 2 * 5 * 32).view(2, 5, 32).sin()

SETTINGS: dict[str, Any] = {
    "lora": LoRASettings(rank=3, alpha=6, dropout=0.0),
    "adalora": AdaLoRASettings(target_rank=2, initial_rank=4, dropout=0.0, interval_steps=1),
    "prefix_tuning": PrefixTuningSettings(virtual_tokens=4),
    "full": FullSettings(),
}


def trained(method: str, model: BertModel, settings: Any = None, steps: int = 12) -> Attachment:
    """Train a little towards other states, without dropout."""
    attachment = find_method(method).attach(model, settings or SETTINGS[method], total_steps=steps)
    attachment.model.eval()
    optimiser = torch.optim.AdamW([one for one in attachment.model.parameters() if one.requires_grad], lr=1e-2)
    for step in range(steps):
        loss = (attachment.states(IDS, MASK, TYPES) - WANTED).square().mean()
        penalty = attachment.penalty()
        (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        attachment.after_step(step + 1)
        optimiser.zero_grad()
    return attachment


def states(model: Any, **more: Any) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        found: np.ndarray[Any, Any] = model(input_ids=IDS, attention_mask=MASK, **more).last_hidden_state.numpy()
    return found


def real(found: Any) -> np.ndarray[Any, Any]:
    """Leave out the states of padding."""
    array: np.ndarray[Any, Any] = np.asarray(found)
    return array[MASK.numpy() == 1]


@pytest.mark.parametrize("method", ["lora", "adalora"])
def test_exported_factors_added_to_the_base_give_the_trained_states(method: str, tiny_bert: BertModel) -> None:
    base = {name: one.clone() for name, one in tiny_bert.state_dict().items()}
    attachment = trained(method, tiny_bert)
    with torch.inference_mode():
        wanted = attachment.states(IDS, MASK, TYPES).numpy()
    arrays, settings = attachment.extract()
    plain = BertModel(tiny_bert.config).eval()
    plain.load_state_dict(base)
    untouched = states(plain)
    for name in settings["target_modules"]:
        up, down = (torch.tensor(arrays[f"{PREFIX}{name}.lora_{side}.weight"]) for side in "BA")
        plain.get_submodule(name).weight.data += settings["scaling"][name] * (up @ down)  # type: ignore[operator,union-attr]
    np.testing.assert_allclose(real(states(plain)), real(wanted), atol=2e-5)
    assert np.abs(real(wanted) - real(untouched)).max() > 0.01
    assert "pooler.dense" not in settings["target_modules"]


def test_adalora_exports_as_many_ranks_as_the_budget_allows(tiny_bert: BertModel) -> None:
    arrays, settings = trained("adalora", tiny_bert).extract()
    ranks = [one.shape[0] for name, one in arrays.items() if "lora_A" in name]
    layers = 2 * 6
    assert sum(ranks) <= 2 * layers
    assert min(ranks) >= 1
    assert len(set(ranks)) > 1
    assert all(
        settings["rank_pattern"].get(name, settings["r"]) == arrays[f"{PREFIX}{name}.lora_A.weight"].shape[0]
        for name in settings["target_modules"]
    )


def test_a_lora_adapter_loads_into_peft_and_gives_the_same_states(tiny_bert: BertModel) -> None:
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from rejoinder.models.adapters.method import quiet_peft

    base = {name: one.clone() for name, one in tiny_bert.state_dict().items()}
    attachment = trained("adalora", tiny_bert)
    with torch.inference_mode():
        wanted = attachment.states(IDS, MASK, TYPES).numpy()
    arrays, settings = attachment.extract()
    plain = BertModel(tiny_bert.config)
    plain.load_state_dict(base)
    names = ("r", "lora_alpha", "use_rslora", "target_modules", "rank_pattern", "alpha_pattern")
    with quiet_peft():
        other = get_peft_model(plain, LoraConfig(**{name: settings[name] for name in names}))
    set_peft_model_state_dict(other, {name: torch.tensor(one) for name, one in arrays.items()})
    np.testing.assert_allclose(real(states(other.eval())), real(wanted), atol=2e-5)


def test_an_exported_prefix_put_before_the_keys_gives_the_trained_states(tiny_bert: BertModel) -> None:
    from transformers import DynamicCache

    attachment = trained("prefix_tuning", tiny_bert)
    with torch.inference_mode():
        wanted = attachment.states(IDS, MASK, TYPES).numpy()
    arrays, settings = attachment.extract()
    assert settings == {"num_virtual_tokens": 4, "num_layers": 2, "num_attention_heads": 4, "token_dim": 32}
    prompt = torch.tensor(arrays["prompt_embeddings"]).view(4, 4, 4, 8).permute(1, 2, 0, 3)
    cache = DynamicCache(config=tiny_bert.config)
    for layer in range(2):
        keys, values = (prompt[2 * layer + part].expand(2, -1, -1, -1) for part in (0, 1))
        cache.update(keys, values, layer)
    mask = torch.cat([torch.ones(2, 4, dtype=torch.long), MASK], dim=1)
    with torch.inference_mode():
        found = tiny_bert(input_ids=IDS, attention_mask=mask, cache=cache).last_hidden_state.numpy()
    np.testing.assert_allclose(real(found), real(wanted), atol=2e-5)


def test_a_projected_prefix_is_exported_as_a_plain_one(tiny_bert: BertModel) -> None:
    settings = PrefixTuningSettings(virtual_tokens=3, projection=True, projection_size=8)
    arrays, _ = trained("prefix_tuning", tiny_bert, settings).extract()
    assert {name: one.shape for name, one in arrays.items()} == {"prompt_embeddings": (3, 2 * 2 * 32)}


def test_full_exports_the_trained_weights_alone(tiny_bert: BertModel) -> None:
    before = {name: one.clone() for name, one in tiny_bert.state_dict().items()}
    attachment = trained("full", tiny_bert, FullSettings(freeze_layers=1))
    arrays, _ = attachment.extract()
    assert all(name.startswith("encoder.layer.1.") for name in arrays)
    assert len(arrays) == 16
    changed = {name for name, one in tiny_bert.state_dict().items() if not torch.equal(one, before[name])}
    assert changed <= set(arrays)


def test_full_trains_embeddings_when_asked(tiny_bert: BertModel) -> None:
    attachment = find_method("full").attach(tiny_bert, FullSettings(freeze_embeddings=False), total_steps=1)
    assert "embeddings.word_embeddings.weight" in attachment.extract()[0]


def test_prefix_tuning_refuses_a_model_that_takes_no_keys() -> None:
    from transformers import DistilBertConfig, DistilBertModel

    model = DistilBertModel(DistilBertConfig(vocab_size=40, dim=32, n_layers=1, n_heads=4, hidden_dim=64))
    with pytest.raises(SettingsError, match="DistilBertModel does not: choose lora, adalora or full"):
        find_method("prefix_tuning").attach(model, PrefixTuningSettings(), total_steps=1)


def test_target_modules_that_are_not_there_are_refused(tiny_bert: BertModel) -> None:
    with pytest.raises(SettingsError, match="peft cannot adapt BertModel"):
        find_method("lora").attach(tiny_bert, LoRASettings(target_modules=("q_proj",)), total_steps=1)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_is_found_by_its_name_and_has_sane_defaults(name: str) -> None:
    method = find_method(name)
    assert method.name == name
    assert 0 < method.learning_rate <= 0.1
    method.settings()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LoRASettings(rank=0), "LoRASettings.rank is 0, expected a whole number >= 1"),
        (lambda: LoRASettings(target_modules=()), "target_modules"),
        (lambda: AdaLoRASettings(target_rank=8, initial_rank=8), "initial_rank is 8, expected more than target_rank"),
        (
            lambda: AdaLoRASettings(warm_up_share=0.7, final_share=0.4),
            r"final_share is 0.4, expected a number in \[0, 0.3\)",
        ),
        (lambda: PrefixTuningSettings(virtual_tokens=0), "virtual_tokens is 0"),
        (lambda: FullSettings(dropout=1.0), "dropout is 1.0"),
        (lambda: make_settings(LoRASettings, {"rnk": 4}), "no setting 'rnk'.*Did you mean 'rank'"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        make()


def test_settings_are_made_of_what_json_says() -> None:
    made = make_settings(LoRASettings, {"rank": 4, "target_modules": ["query", "value"]})
    assert made == LoRASettings(rank=4, target_modules=("query", "value"))
