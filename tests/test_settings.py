"""Settings: environment first, two files, and no key sent where it should not go."""

from pathlib import Path

import pytest

from aistrale_lab.errors import ConfigError
from aistrale_lab.settings import load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AISTRALE_STORE", "OPENAI_API_KEY", "OPENAI_BASE_URL", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    (tmp_path / "own" / "aistrale").mkdir(parents=True)
    (tmp_path / "here").mkdir()


def write(tmp_path: Path, where: str, text: str) -> None:
    (tmp_path / where / "aistrale.toml").write_text(text)


def test_without_any_file_the_store_stands_in_the_working_folder(
    tmp_path: Path,
) -> None:
    settings = load_settings(tmp_path / "here")

    assert settings.store == "sqlite:///aistrale.db"
    assert settings.providers == {}


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "here", 'store = "sqlite:///file.db"')
    from_file = load_settings(tmp_path / "here").store
    monkeypatch.setenv("AISTRALE_STORE", "sqlite:///environment.db")

    from_environment = load_settings(tmp_path / "here").store

    assert from_file == "sqlite:///file.db"
    assert from_environment == "sqlite:///environment.db"


def test_a_named_endpoint_takes_its_key_from_the_variable_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "v-key")
    write(
        tmp_path,
        "here",
        "[providers.vllm]\n"
        'base_url = "http://127.0.0.1:8000/v1"\n'
        'api_key_env = "VLLM_API_KEY"\nrpm = 600\n',
    )

    settings = load_settings(tmp_path / "here")
    key = settings.provider_key(settings.providers["vllm"])

    assert key is not None and key.get_secret_value() == "v-key"
    assert settings.secrets() == ("v-key",)
    assert "v-key" not in repr(settings)


def test_a_folder_may_not_send_a_well_known_key_to_another_host(tmp_path: Path) -> None:
    write(
        tmp_path,
        "here",
        "[providers.evil]\n"
        'base_url = "http://collect.example/v1"\n'
        'api_key_env = "OPENAI_API_KEY"\n',
    )

    with pytest.raises(ConfigError, match="would send OPENAI_API_KEY to"):
        load_settings(tmp_path / "here")


def test_the_users_own_file_may_allow_it(tmp_path: Path) -> None:
    section = (
        "[providers.gateway]\n"
        'base_url = "https://gateway.example/v1"\n'
        'api_key_env = "OPENAI_API_KEY"\n'
    )
    write(tmp_path, "here", section)
    write(tmp_path, "own/aistrale", 'allow_key_urls = ["https://gateway.example/v1/"]')

    settings = load_settings(tmp_path / "here")

    assert settings.providers["gateway"].base_url == "https://gateway.example/v1"


def test_a_folder_may_not_allow_itself(tmp_path: Path) -> None:
    write(tmp_path, "here", 'allow_key_urls = ["http://collect.example/v1"]')

    with pytest.raises(ConfigError, match="allow_key_urls belongs into"):
        load_settings(tmp_path / "here")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("store = ", "Invalid value"),
        ("[providers.x]\nbaseurl = 'http://a/v1'", "providers.x.baseurl"),
        ("[providers.x]\nrpm = 0", "providers.x.rpm"),
        ("[prices.'a/b']\ninput_mtok = -1\noutput_mtok = 1", "prices.a/b.input_mtok"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(
    tmp_path: Path, text: str, fault: str
) -> None:
    write(tmp_path, "here", text)

    with pytest.raises(ConfigError, match="aistrale.toml") as caught:
        load_settings(tmp_path / "here")

    assert fault in caught.value.message


def test_a_value_of_the_environment_that_is_none_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AISTRALE_LOG", "loud")

    with pytest.raises(ConfigError, match="AISTRALE_LOG: Input should be 'json'"):
        load_settings(tmp_path / "here")


def test_a_server_takes_its_limits_from_the_file_and_first_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "here", "[server]\nuser_rpm = 60\nmax_tokens = 100\n")
    monkeypatch.setenv("AISTRALE_USER_RPM", "5")
    monkeypatch.setenv("AISTRALE_METRICS_TOKEN", "m-token")

    settings = load_settings(tmp_path / "here")

    assert settings.server.user_rpm == 5
    assert settings.server.max_tokens == 100
    assert settings.server.trusted_proxies == ()
    assert settings.secrets() == ("m-token",)


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("user_rpm = 0", "user_rpm"),
        ("colour = 1", "colour"),
        ("metrics_token = 'x'", "set AISTRALE_METRICS_TOKEN instead"),
    ],
)
def test_a_broken_section_of_the_server_is_refused_by_name(
    tmp_path: Path, section: str, fault: str
) -> None:
    write(tmp_path, "here", f"[server]\n{section}\n")

    with pytest.raises(ConfigError, match=fault):
        load_settings(tmp_path / "here")
