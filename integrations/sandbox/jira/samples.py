"""Tickets as customers write them, for the page's "file a sample ticket". Written for this project."""

from pydantic import BaseModel, ConfigDict


class Sample(BaseModel):
    model_config = ConfigDict(frozen=True)
    title: str
    summary: str
    description: str
    priority: str = "Medium"


SAMPLES = (
    Sample(
        title="Billing",
        summary="Charged twice for March",
        description="Hello, our card statement shows two charges of 49.00 on 3 March for the same workspace. "
        "The invoice page lists only one of them. Which one is right, and can you correct the invoice "
        "before our bookkeeping closes on Friday?",
        priority="High",
    ),
    Sample(
        title="Refund",
        summary="Still waiting for my refund",
        description="I returned the headset two weeks ago and the carrier confirmed that it arrived. You "
        "promised the money within five working days. Nothing has reached my account yet. Please "
        "tell me when I will get it back.",
    ),
    Sample(
        title="Payment",
        summary="Card declined at checkout although it works elsewhere",
        description="I tried three cards and every one ends with 'payment could not be processed'. My bank "
        "says they never saw it. Is there another way to pay, by bank transfer for example?",
        priority="High",
    ),
    Sample(
        title="Account access",
        summary="Locked out after changing my phone",
        description="The two-factor codes go to my old phone, which I no longer have, and I did not keep the "
        "backup codes. The reset link only brings me back to the code prompt. How do I get in again?",
        priority="Highest",
    ),
    Sample(
        title="Shipping and delivery",
        summary="Parcel marked as delivered but nothing arrived",
        description="Tracking says that my order was handed over yesterday at 14:10. I was at home and "
        "nobody rang; the neighbours have nothing either. Can you find out where it went?",
        priority="High",
    ),
    Sample(
        title="Product question",
        summary="Does the team plan include audit logs?",
        description="We are comparing the team and the business plan. The page mentions an activity view for "
        "both. Is that the same as the audit log export, and for how long are the entries kept?",
        priority="Low",
    ),
    Sample(
        title="Technical issue",
        summary="Export to CSV stops at 1,000 rows",
        description="Since the update on Tuesday the report export ends after exactly 1,000 rows, without an "
        "error message. Before that we got all 14,000. It happens in Firefox and in Chrome.\n\nSteps: "
        "Reports, Orders, Export, CSV.",
        priority="High",
    ),
    Sample(
        title="Bug",
        summary="App crashes when I open a shared calendar",
        description="Version 5.2 on Android 14: tapping a calendar that a colleague shared closes the app "
        "at once. My own calendars open normally. Reinstalling did not help.",
    ),
    Sample(
        title="Feature request",
        summary="Please add a dark theme",
        description="Our night shift works with the dashboard for ten hours and the white background is "
        "tiring. It would be wonderful to have a dark theme that follows the system setting.",
        priority="Lowest",
    ),
    Sample(
        title="Cancellation",
        summary="Cancel our subscription at the end of the month",
        description="We have moved to another tool and would like to end our contract on the 30th. Please "
        "confirm the date and that we will not be renewed automatically.",
    ),
    Sample(
        title="Data and privacy",
        summary="Request for a copy and deletion of my personal data",
        description="Under the data protection rules I ask for a copy of everything that you store about me, "
        "and for its deletion afterwards, including backups and newsletters. Please confirm within 30 days.",
    ),
    Sample(
        title="Feedback and complaint",
        summary="Third contact about the same problem, and nobody reads the history",
        description="Every time I write, somebody new asks me the same questions. I have been a customer for "
        "six years and I am disappointed by how this was handled. The product is good, the service was not.",
        priority="High",
    ),
)
