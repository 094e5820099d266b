"""The pages that show documents of docs/: the guide, the sandbox, the versions."""

import re

import pytest

from exchange_site import documents
from exchange_site.documents import PAGES, read_page

HEADINGS = {"guide": "Guide for client developers", "sandbox": "The sandbox", "versions": "Versions"}


def page_of(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    return answer.content.decode()


def links_of(page):
    return re.findall(r'href="([^"]*)"', page)


@pytest.fixture
def without_files(monkeypatch, tmp_path):
    """An installation without the documents' files."""
    monkeypatch.setattr(documents, "FOLDER", tmp_path)
    read_page.cache_clear()
    yield
    read_page.cache_clear()


@pytest.mark.parametrize("name", PAGES)
class TestPage:
    def test_shows_its_document_with_and_without_a_slash(self, client, name):
        for path in (PAGES[name], PAGES[name].rstrip("/")):
            assert f">{HEADINGS[name]}</h1>" in page_of(client, path)

    def test_is_linked_from_the_home_page(self, client, name):
        assert PAGES[name] in links_of(page_of(client, "/"))

    def test_links_only_to_what_is_served(self, client, name):
        links = links_of(page_of(client, PAGES[name]))
        assert [link for link in links if not link.startswith(("/", "#", "https://"))] == []
        text = page_of(client, PAGES[name]).partition("<main")[2]
        for link in {link.partition("#")[0] for link in links_of(text) if link.startswith("/")}:
            assert client.get(link).status_code == 200, link

    def test_links_only_to_headings_that_exist(self, client, name):
        for link in links_of(page_of(client, PAGES[name])):
            path, _, anchor = link.partition("#")
            if anchor and path in {"", *PAGES.values()}:
                assert f'id="{anchor}"' in page_of(client, path or PAGES[name]), link

    def test_is_neither_there_nor_linked_where_its_file_is_not_installed(self, client, name, without_files):
        assert client.get(PAGES[name]).status_code == 404
        assert PAGES[name] not in links_of(page_of(client, "/"))


class TestLinks:
    def test_between_documents_lead_from_page_to_page(self, client):
        assert {"/sandbox/", "/versions/"} <= set(links_of(page_of(client, "/guide/")))
        assert {"/guide/", "/guide/#limits"} <= set(links_of(page_of(client, "/sandbox/")))
        assert "/api/v1/openapi.json" in links_of(page_of(client, "/versions/"))

    def test_to_files_that_are_not_served_are_texts(self, client):
        page = page_of(client, "/sandbox/")
        assert "exchange simulator" in page
        assert "simulator.md" not in page
