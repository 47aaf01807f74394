"""Skills: folders that are read when the agent is made, and out of which no path leads."""

from pathlib import Path

import pytest

from interlock.core.skills import read_skills
from interlock.errors import BuildError

HEAD = "---\nname: refunds\ndescription: How refunds are decided.\n---\n"


def skill(folder: Path, text: str = f"{HEAD}Ask first.", **files: str) -> Path:
    """A skill's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(text)
    for name, words in files.items():
        (folder / f"{name}.md").write_text(words)
    return folder


def test_a_skill_is_its_head_and_its_files(tmp_path: Path) -> None:
    """Name and description come from the head; every text of the folder can be read by its path."""
    (read,) = read_skills([skill(tmp_path / "refunds", table="numbers")])

    assert (read.name, read.description) == ("refunds", "How refunds are decided.")
    assert dict(read.files) == {"SKILL.md": "Ask first.", "table.md": "numbers"}


def test_a_folder_of_skills_is_all_of_them(tmp_path: Path) -> None:
    """A folder without a skill of its own stands for those inside it."""
    skill(tmp_path / "b", HEAD.replace("refunds", "b", 1) + "x")
    skill(tmp_path / "a", HEAD.replace("refunds", "a", 1) + "x")

    assert [each.name for each in read_skills([tmp_path])] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Ask first.", "needs `name:` and `description:`"),
        ("---\nname: refunds\n---\nAsk.", "needs `name:` and `description:`"),
        (f"{HEAD}{'x' * 300_000}", "more than 256 KiB"),
    ],
)
def test_a_skill_that_cannot_be_used_fails_the_build(tmp_path: Path, text: str, why: str) -> None:
    """A head without a name, or too much text, is told."""
    with pytest.raises(BuildError, match=why):
        read_skills([skill(tmp_path / "refunds", text)])


def test_a_folder_without_a_skill_fails_the_build(tmp_path: Path) -> None:
    """An empty folder and one that is not there are told in the same words."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BuildError, match="there is no skill in"):
            read_skills([folder])


def test_two_skills_of_one_name_fail_the_build(tmp_path: Path) -> None:
    """A model could not say which one it means."""
    with pytest.raises(BuildError, match="two skills are named 'refunds'"):
        read_skills([skill(tmp_path / "a"), skill(tmp_path / "b")])


def test_a_link_out_of_the_folder_fails_the_build(tmp_path: Path) -> None:
    """What lies outside belongs to nobody's skill, however it is reached."""
    (tmp_path / "secret.md").write_text("key")
    folder = skill(tmp_path / "refunds")
    (folder / "more.md").symlink_to(tmp_path / "secret.md")

    with pytest.raises(BuildError, match="leads out of its folder"):
        read_skills([folder])


def test_the_version_goes_by_every_file(tmp_path: Path) -> None:
    """A changed table is a changed skill."""
    before = read_skills([skill(tmp_path / "refunds", table="1")])[0].version
    after = read_skills([skill(tmp_path / "refunds", table="2")])[0].version

    assert before != after


@pytest.mark.parametrize("way", ["its file", "its folder"])
def test_a_skill_that_lies_elsewhere_fails_the_build(tmp_path: Path, way: str) -> None:
    """Neither SKILL.md itself nor a folder among skills may be a link to somewhere else."""
    secret = skill(tmp_path / "elsewhere")
    skills = tmp_path / "skills"
    (skills / "refunds").mkdir(parents=True)
    if way == "its file":
        (skills / "refunds" / "SKILL.md").symlink_to(secret / "SKILL.md")
    else:
        (skills / "linked").symlink_to(secret, target_is_directory=True)

    with pytest.raises(BuildError, match="leads out of its folder"):
        read_skills([skills])


def test_a_linked_folder_inside_a_skill_is_not_read(tmp_path: Path) -> None:
    """What lies behind it is no part of the skill."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key.md").write_text("the key")
    folder = skill(tmp_path / "refunds")
    (folder / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)

    (read,) = read_skills([folder])

    assert "the key" not in str(read.files)
