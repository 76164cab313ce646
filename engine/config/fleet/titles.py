"""The words that stand over the columns of a table of people.

Not here: which line of a table is its header (`people_file`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

# Titles of a column of people, as `title_word` gives them.
HEADER_WORDS: Final = frozenset(
    {
        "user", "username", "userprofile", "userprofilename", "name", "member", "members", "profile", "login",
        "samaccountname", "upn", "userprincipalname", "email", "mail", "emailaddress", "id", "userid", "employee",
    }
)  # fmt: skip
SSO_WORD: Final = "ssoidentity"
# Which column says how people sign in where none is called so, the first one first. Entra ID and Okta provision their
# own sign-in name as the user name in IAM Identity Center, and an address for mail may be another one.
ADDRESS_WORDS: Final = ("userprincipalname", "upn", "login", "email", "mail", "emailaddress")

# Any other title is made of whom a column lists and of how it names them, such as "Employee ID" or "Login name".
_WHO: Final = (
    "user|employee|member|person|people|colleague|staff|student|participant|attendee|learner|trainee|teacher|guest|"
    "engineer|analyst|scientist|datascientist|developer|researcher|owner|contact|principal|identity|account|accnt|profile|"
    "team|teammember|login|logon|signin|work|company|corporate|business|primary|secondary|office|network|net|domain|"
    "windows|directory|ldap|ad|aad|azuread|entra|okta|github|gitlab|iam|sso|sam|object|external|internal|unique|studio|"
    "display|first|last|given|sur|family|full|nick|mailnick|distinguished|common|job"
)
_HOW: Final = (
    "id|no|nr|number|name|nickname|e?mail|e?mailaddress|address|login|logon|upn|principal|principalname|profile|"
    "profilename|accountname|member|key|handle|alias|code|list|title"
)
_ONE_WORD: Final = frozenset(
    {
        "users", "names", "people", "person", "persons", "employees", "staff", "students", "student",
        "participant", "participants", "attendee", "attendees", "learners", "trainees", "guests", "engineers",
        "analysts", "scientists", "datascientists", "developers", "researchers", "colleagues", "contact",
        "contacts", "owner", "owners", "principal", "principals", "identity", "identities", "account",
        "accounts", "profiles", "logins", "logon", "teammember", "teammembers", "ids", "emails", "mails",
        "addresses", "address", "handle", "handles", "alias", "aliases", "uid", "uids", "cn", "dn", "sn", "sub",
        "surname", "department", "team", "teams", "group", "groups", "role", "roles", "title", "office",
        "status", SSO_WORD, "benutzer", "benutzername", "nutzer", "nutzername", "anmeldename", "mitarbeiter",
        "mitarbeiterin", "teilnehmer", "mitglied", "mitglieder", "personen", "namen", "vorname", "nachname",
        "kennung", "kürzel", "emailadresse", "emailadressen", "mailadresse", "mailadressen", "utilisateur",
        "utilisateurs", "identifiant", "identifiants", "nom", "noms", "prénom", "prenom", "courriel",
        "courriels", "adresse", "adressemail", "adresseemail", "usuario", "usuarios", "nombre", "nombres",
        "apellido", "correo", "correos", "correoelectrónico", "correoelectronico", "utente", "utenti", "nome",
        "nomes", "nomeutente", "gebruiker", "gebruikers", "gebruikersnaam", "naam",
    }
)  # fmt: skip
_NOT_IN_TITLES: Final = re.compile(
    r"\[[^\]]*\]\s*$|\([^)]*\)\s*$|[\s_.:;*#/-]+"
)  # the remark in "Email [Required]" too


def title_word(cell: str) -> str:
    """Return a cell in lower case without a remark in brackets at its end, spaces, hyphens and other separators."""
    return _NOT_IN_TITLES.sub("", cell).lower()


@cache
def _made_of_both() -> re.Pattern[str]:
    """Compile the longest pattern of all when a table of people needs it."""
    return re.compile(rf"(?:{_WHO})s?(?:{_HOW})s?")


def is_other_title(word: str) -> bool:
    """Return whether a word is a title that does not say which column holds the user profiles."""
    return word in _ONE_WORD or (word not in HEADER_WORDS and _made_of_both().fullmatch(word) is not None)
