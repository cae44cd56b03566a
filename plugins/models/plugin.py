from __future__ import annotations

from bot.plugin import Command, Context, Message, Page, Plugin, Section, Text, command, join, md
from ml.churn import shelf
from plugins.models.page import models, tagging_folder
from plugins.models.tagging import kept


class Models(Plugin):
    """A page for all models. What changes them is the business of the plugins that they belong to."""

    name = "models"
    page_title = "Models"

    @command("models", help="Which models serve", queue="io")
    def show(self, asked: Command, ctx: Context) -> None:  # noqa: ARG002  # nothing to choose
        ctx.reply(_serving(ctx))

    def page(self, ctx: Context) -> Page:
        return models(ctx, self.page_title)


def _serving(ctx: Context) -> Message:
    churn = shelf.read(ctx.data_dir / "churn").champion
    tags = next(
        (one.folder for one in kept(tagging_folder(ctx)) if one.serves), "the built-in few-shot model"
    )
    lines: list[Text] = [
        md("*Churn:* {}", churn.name if churn else "none yet; `signalbox churn train` makes one"),
        md("*Tags:* {}", tags),
        "The console's page Models compares them; `churn models` says more about churn.",
    ]
    return Message(text="Which models serve", blocks=(Section(text=join("\n", lines)),))
