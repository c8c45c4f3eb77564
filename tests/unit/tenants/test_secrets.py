"""The deployment's secret, and what is encrypted with it."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr
from rejoinder.errors import SettingsError
from rejoinder.settings import DeploymentSettings, SecuritySettings
from rejoinder.tenants.secrets import Vault, deployment_secret


def deployment(
    folder: Path, secret: str | None = None, environment: Literal["development", "production"] = "development"
) -> DeploymentSettings:
    key = None if secret is None else SecretStr(secret)
    return DeploymentSettings(
        data_dir=folder / "data", security=SecuritySettings(environment=environment, secret_key=key)
    )


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first = deployment_secret(deployment(tmp_path))
    assert deployment_secret(deployment(tmp_path)) == first
    assert len(first) >= 32
    file = tmp_path / "data" / "secret.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: deployment_secret(deployment(tmp_path)), range(16)))) == 1


def test_the_setting_goes_before_the_file(tmp_path: Path) -> None:
    assert deployment_secret(deployment(tmp_path, "mine")) == b"mine"
    assert not (tmp_path / "data").exists()


def test_a_damaged_file_is_not_silently_replaced(tmp_path: Path) -> None:
    deployment_secret(deployment(tmp_path))
    (tmp_path / "data" / "secret.key").write_text("")
    with pytest.raises(SettingsError, match="too weak"):
        deployment_secret(deployment(tmp_path))


def test_a_file_that_others_may_read_is_refused_in_production(tmp_path: Path) -> None:
    deployment_secret(deployment(tmp_path, environment="production"))
    (tmp_path / "data" / "secret.key").chmod(0o644)
    deployment_secret(deployment(tmp_path))
    with pytest.raises(SettingsError, match="chmod 600"):
        deployment_secret(deployment(tmp_path, environment="production"))


def test_what_is_sealed_opens_in_its_tenant_only(tmp_path: Path) -> None:
    vault = Vault(deployment(tmp_path))
    tree = {"crm": {"token": vault.seal("hunter2", "acme"), "tries": 3}}
    assert "hunter2" not in str(tree)
    assert vault.unseal(tree, "acme") == {"crm": {"token": "hunter2", "tries": 3}}
    with pytest.raises(SettingsError, match="'blue' cannot be read"):
        vault.unseal(tree, "blue")
    with pytest.raises(SettingsError, match="restore that, or set the secret again"):
        Vault(deployment(tmp_path, "another")).unseal(tree, "acme")


def test_keys_differ_by_purpose_and_tenant(tmp_path: Path) -> None:
    vault = Vault(deployment(tmp_path))
    assert len({vault.key(purpose, tenant) for purpose in ("a", "b") for tenant in ("x", "y")}) == 4
