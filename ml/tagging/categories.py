"""The ten categories of customer queries. A slug is a valid Jira label: no spaces, 30 characters at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    slug: str
    title: str
    description: str


CATEGORIES: tuple[Category, ...] = (
    Category("billing", "Billing", "Invoices, charges, prices, plans and taxes."),
    Category("payment-refund", "Payments and refunds", "Paying, failed payments and money back."),
    Category("account-access", "Account access", "Signing in, passwords, two-factor and locked accounts."),
    Category("delivery", "Delivery", "Shipping, tracking, lost, late or damaged parcels."),
    Category("product-question", "Product question", "How something works, and whether it can do something."),
    Category("technical-issue", "Technical issue", "Errors, crashes and things that do not work."),
    Category("feature-request", "Feature request", "Wishes for something new or different."),
    Category("cancellation", "Cancellation", "Ending a contract, a subscription or an order."),
    Category("data-privacy", "Data and privacy", "Personal data: access, deletion, consent and security."),
    Category("complaint", "Complaint", "Dissatisfaction with service, people or quality."),
)
OUT_OF_SCOPE = "out-of-scope"
