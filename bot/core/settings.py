"""Settings as typed, frozen models. `bot.core.settings_loader` fills them from file and environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class SlackSettings(_Section):
    """Slack app. Without a bot token the sandbox stands in."""

    bot_token: SecretStr | None = Field(None, description="Bot token (xoxb-…).")
    signing_secret: SecretStr | None = Field(None, description="Signing secret of the app.")
    app_token: SecretStr | None = Field(None, description="App-level token (xapp-…); turns on Socket Mode.")
    api_url: str = Field("https://slack.com/api/", description="Base URL of the Web API.")
    command: str = Field("/signalbox", description="The slash command.")
    client_id: str = Field("", description="Client id of the app: people sign in to the console with Slack.")
    client_secret: SecretStr | None = Field(None, description="Client secret of the app.")
    home_team: str = Field(
        "",
        pattern=r"^([TE][A-Z0-9]+)?$",
        description="Team id (T…) of the workspace that names such as #support mean and bot_token is for. "
        "With it the app can be installed in other workspaces too: docs/slack.md.",
    )


class JiraSettings(_Section):
    """Jira Cloud or Data Center."""

    url: str = Field("", description="Base URL of the site, e.g. https://acme.atlassian.net.")
    email: str = Field("", description="Account that the API token belongs to.")
    api_token: SecretStr | None = Field(None, description="API token.")
    webhook_secret: SecretStr | None = Field(None, description="Secret of the webhook (X-Hub-Signature).")
    account_id: str = Field("", description="Account id of the bot; found by /myself when empty.")
    deployment: Literal["cloud", "data-center"] = Field(
        "cloud", description="data-center: REST version 2, and api_token is a personal access token."
    )


class ZendeskSettings(_Section):
    """Zendesk Support. The webhook's signing secret is webhooks.zendesk."""

    url: str = Field("", description="Base URL, e.g. https://acme.zendesk.com; empty: not the helpdesk.")
    email: str = Field("", description="The bot's agent account.")
    api_token: SecretStr | None = Field(None, description="API token.")
    user_id: str = Field("", description="User id of the bot; asked for when empty.")


class FreshdeskSettings(_Section):
    """Freshdesk. The token that its rules send is webhooks.freshdesk."""

    url: str = Field("", description="Base URL, e.g. https://acme.freshdesk.com; empty: not the helpdesk.")
    api_key: SecretStr | None = Field(None, description="API key of the bot's agent.")
    email: str = Field("", description="Address of the bot's agent; asked for when empty.")
    requester_email: str = Field("", description="In whose name tickets are filed; empty: the bot's.")


class GithubSettings(_Section):
    """GitHub Issues as the helpdesk. The webhook's secret is webhooks.github."""

    url: str = Field("https://api.github.com", description="API; https://HOST/api/v3 for GitHub Enterprise.")
    token: SecretStr | None = Field(None, description="Token that may write issues; empty: not the helpdesk.")
    login: str = Field("", description="Login of the bot; asked for when empty. An app's is `name[bot]`.")


class HelpdeskRequest(_Section):
    """One request to a helpdesk of one's own; `{key}` and the like are filled in."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("GET", description="HTTP method.")
    path: str = Field(description="Below helpdesk.url, e.g. /tickets/{key}; values are percent-encoded.")
    params: dict[str, str] = Field(default_factory=dict, description="Query parameters.")
    body: Any = Field(None, description="JSON; values stand in its texts, never in its structure.")
    answer: str = Field("", description="JMESPath of what is wanted of the answer; empty: all of it.")
    items: str = Field("", description="JMESPath of the list, of search and comments.")
    next: str = Field("", description="JMESPath of what asks for the next page, of search.")
    id: str = Field("id", description="JMESPath of an item's id, of comment and comments.")
    text: str = Field("text", description="JMESPath of an item's text, of comments.")


class HelpdeskSettings(_Section):
    """A helpdesk of one's own, described by its requests: docs/helpdesks.md."""

    url: str = Field("", description="Base URL of its API; empty: none.")
    page: str = Field(
        "",
        description="Address of a ticket's page, for cards of links, e.g. https://desk.example/tickets/{key}.",
    )
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="Sent with each request.")
    webhook_secret: SecretStr | None = Field(None, description="Secret of its webhooks (HMAC-SHA256).")
    webhook_header: str = Field("X-Signature-256", description="Header that carries sha256=<hex>.")
    webhook_id_header: str = Field("", description="Header with the delivery's id, for deduplication.")
    event: str = Field("event", description="JMESPath of what happened, in a webhook.")
    kinds: dict[str, str] = Field(
        default_factory=dict, description="What happened to ticket.created, .updated, .commented or .deleted."
    )
    ticket: str = Field("ticket", description="JMESPath of the ticket, in a webhook.")
    actor: str = Field("", description="JMESPath of who did it, in a webhook.")
    account: str = Field("", description="The bot's own name there, so that it does not answer itself.")
    fields: dict[str, str] = Field(
        default_factory=dict, description="Ticket's field (key, summary, description, labels, …) to JMESPath."
    )
    requests: dict[str, HelpdeskRequest] = Field(
        default_factory=dict,
        description="read, search, create, add_label, remove_label, comment, comments, health.",
    )


class AlertmanagerSettings(_Section):
    url: str = Field("", description="Base URL of Alertmanager, e.g. http://alertmanager:9093.")
    token: SecretStr | None = Field(None, description="Bearer token that Alertmanager sends to our webhook.")
    username: str = Field("", description="User name for basic authentication of our webhook.")
    password: SecretStr | None = Field(None, description="Password for basic authentication of our webhook.")
    api_token: SecretStr | None = Field(
        None, description="Bearer token for Alertmanager's API, if a proxy asks."
    )
    duplicate_window: float = Field(
        4.0,
        gt=0,
        description="Seconds in which an identical notification is a duplicate; later, a heartbeat.",
    )


class PrometheusSettings(_Section):
    url: str = Field("", description="Base URL of Prometheus, e.g. http://prometheus:9090.")
    token: SecretStr | None = Field(None, description="Bearer token for its API, if a proxy asks.")


class PushgatewaySettings(_Section):
    url: str = Field("", description="Base URL of a Pushgateway, e.g. http://pushgateway:9091.")


class SparkSettings(_Section):
    master: str = Field("local[*]", description="Spark master, or a Spark Connect URL such as sc://host.")


class MlflowSettings(_Section):
    tracking_uri: str = Field("", description="MLflow tracking; empty: a database in the data directory.")


class GenericSource(_Section):
    """One /webhooks/generic/{name} source: HMAC-SHA256 of the body in a header."""

    secret: SecretStr = Field(description="Shared secret.")
    header: str = Field("X-Signature-256", description="Header that carries sha256=<hex>.")
    id_header: str = Field("", description="Header that carries the delivery's id, for deduplication.")


class WebhookSecrets(_Section):
    """Secrets of sources that need no further settings."""

    github: SecretStr | None = Field(None, description="Secret of the GitHub webhook.")
    zendesk: SecretStr | None = Field(None, description="Signing secret of the Zendesk webhook.")
    freshdesk: SecretStr | None = Field(None, description="Bearer token that Freshdesk's automation sends.")


class Role(_Section):
    """Who holds a role and what it allows. Members: user ids, or @handles of Slack user groups; those of
    another workspace than the home one as TEAM/USER, TEAM/@handle, TEAM/*.
    """

    members: tuple[str, ...] = Field((), description="User ids, @usergroup handles, or * for everybody.")
    permissions: tuple[str, ...] = Field((), description='Permissions; a trailing ".*" covers all below.')


class WebSettings(_Section):
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    public_url: str = Field(
        "", description="Where people reach it, e.g. https://signalbox.example.com, to sign in with Slack."
    )
    sandbox_url: str = Field("", description="Sandbox that the overview links to; `signalbox up` sets it.")


class NlpSettings(_Section):
    """The process that holds the tagging model for POST /api/nlp/classify."""

    url: str = Field("", description="Where the web process finds it; empty: http://<host>:<port>.")
    host: str = Field(
        "127.0.0.1", description="Address it listens on. It asks for no token: keep it private."
    )
    port: int = Field(8002, ge=0, le=65535, description="Port it listens on.")
    threads: int = Field(2, ge=1, le=64, description="Cores that it may use.")
    max_queue: int = Field(2000, ge=1000, description="Texts that may wait; with more, callers get 503.")
    timeout: float = Field(10.0, gt=0, description="Seconds that the web process waits for an answer.")

    def resolved_url(self) -> str:
        return (self.url or f"http://{self.host}:{self.port}").rstrip("/")


class ChurnSettings(_Section):
    """Churn: where the tables come from, what acting costs, and the process for POST /api/churn/score."""

    source: str = Field(
        "",
        description="Customers, subscriptions, usage, invoices and tickets: a folder of CSV or Parquet, or a "
        "database such as postgresql://host/name or jdbc:postgresql://host/name.",
    )
    source_user: str = Field("", description="Who reads from that database.")
    source_password: SecretStr | None = Field(None, description="The password of source_user.")
    jdbc_driver: str = Field("", description="Class of the JDBC driver, for Spark; empty: the usual one.")
    jdbc_jars: tuple[str, ...] = Field(
        (), description="The JDBC driver's jars, where every Spark node sees them."
    )
    engine: Literal["local", "spark"] = Field(
        "local", description="What reads tables and computes features: Polars here, or Spark at spark.master."
    )
    horizon_days: int = Field(90, ge=7, description="A customer who leaves within so many days has churned.")
    embargo_days: int = Field(
        7, ge=0, description="Days after the cut that are left out: nobody could act in them."
    )
    contact_cost: float = Field(1.0, ge=0, description="What it costs to contact a customer.")
    offer_cost: float = Field(10.0, ge=0, description="What an offer costs that a customer takes.")
    accept_share: float = Field(
        0.3, gt=0, le=1, description="Share of leavers who stay when they get the offer."
    )
    value_months: float = Field(
        12.0, gt=0, description="Months of monthly value that a saved customer is worth."
    )
    promote: Literal["gate", "button"] = Field(
        "button", description="gate: a challenger that passes serves at once; button: somebody says so."
    )
    url: str = Field("", description="Where the web process finds it; empty: http://<host>:<port>.")
    host: str = Field(
        "127.0.0.1", description="Address it listens on. It asks for no token: keep it private."
    )
    port: int = Field(8003, ge=0, le=65535, description="Port it listens on.")
    timeout: float = Field(
        30.0, gt=0, description="Seconds that the web process waits; the first answer loads the model."
    )

    def resolved_url(self) -> str:
        return (self.url or f"http://{self.host}:{self.port}").rstrip("/")


class WorkerSettings(_Section):
    interactive: int = Field(2, ge=1, description="Processes for commands and buttons.")
    io: int = Field(2, ge=1, description="Processes for webhooks, schedules and posts.")
    model: int = Field(1, ge=1, description="Processes that hold a model.")
    soft_time_limit: float = Field(60.0, gt=0, description="Seconds after which a handler is interrupted.")
    hard_time_limit: float = Field(90.0, gt=0, description="Seconds after which its process is killed.")
    max_attempts: int = Field(8, ge=1, description="Attempts before an event becomes a dead letter.")
    lease_seconds: float = Field(120.0, gt=0, description="How long a worker may hold a run unheard.")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of a worker's own /metrics, on a node without a web process; 0: none.",
    )
    sweep_seconds: float = Field(1.0, gt=0, description="How often what was left behind is looked for.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """A lease that ends before its worker is killed would let two workers run one handler."""
        if not self.soft_time_limit < self.hard_time_limit < self.lease_seconds:
            raise ValueError("soft_time_limit must be below hard_time_limit, and that below lease_seconds")
        return self


class RetentionSettings(_Section):
    """How long things are kept. The audit trail and service records are never deleted, only erased."""

    events_days: float = Field(
        90.0, ge=0, description="Days that finished events are kept, with their runs and steps; 0: for ever."
    )
    dead_days: float = Field(365.0, ge=0, description="Days that dead letters are kept at least.")
    records_days: float = Field(
        0.0, ge=0, description="Days that plugins' facts (decisions, outcomes) are kept; 0: for ever."
    )


class LimitSettings(_Section):
    """Rate limits such as '600/minute' or '60000/10 second'; empty: none."""

    source: str = Field(
        "60000/10 second",
        description="Deliveries of one source that one web process takes; just above what it can store.",
    )
    person: str = Field(
        "600/minute", description="Commands, clicks and forms of one person, in Slack and the console."
    )
    token: str = Field("60000/minute", description="API requests with one token, by all web processes.")
    failures: str = Field(
        "60/minute", description="Requests of one address that are not authentic, and its tries to sign in."
    )
    backlog: int = Field(
        200_000,
        ge=0,
        description="Runs that may wait for workers; while more do, tickets' and other senders are told to "
        "come back. People and alerts always get in. 0: no limit.",
    )
    waiting: int = Field(
        4000, ge=1, description="Deliveries that may wait for the database; more are told to come back."
    )


class BackupSettings(_Section):
    """Backups of the database, models and other files of the data directory."""

    dir: str = Field("", description="Folder for archives; empty: 'backups' in the data directory.")
    key: SecretStr | None = Field(None, description="Encrypts archives; `signalbox backup key` makes one.")
    old_keys: tuple[SecretStr, ...] = Field((), description="Earlier keys, to read earlier archives.")
    keep_days: int = Field(30, ge=1, description="Calendar days that archives are kept.")
    alarm_days: float = Field(
        8.0, gt=0, description="Days without a successful restore after which health is degraded."
    )
    exclude: tuple[str, ...] = Field((), description="Patterns of paths in the data directory to leave out.")
    scratch_url: str = Field(
        "", repr=False, description="PostgreSQL to restore into for tests; empty: beside DATABASE_URL's."
    )
    s3_bucket: str = Field("", description="Bucket that archives are copied to; needs the extra aws.")
    s3_prefix: str = Field("signalbox", description="Folder in the bucket.")
    s3_endpoint_url: str = Field("", description="Endpoint of another vendor's S3.")


class RecordSettings(_Section):
    """Changes, incidents and the other service records."""

    templates: tuple[str, ...] = Field(
        (
            "promotion-within-guardrails",
            "mitigation-within-guardrails",
            "settings-within-limits",
            "threshold-within-limits",
            "message-template",
            "configuration-file",
        ),
        description="Standard changes that are authorised in advance; all others need a person's word.",
    )
    review_days: float = Field(
        7.0, gt=0, description="Days in which a change that needs a review should have got it."
    )


class HttpExecutor(_Section):
    hosts: tuple[str, ...] = Field(
        (), description="Hosts that may be called, as host or host:port; empty: none."
    )
    secret: SecretStr | None = Field(None, description="Key that requests are signed with (HMAC-SHA256).")


class AllowedCommand(_Section):
    """A program with its arguments, one list entry each; {name} stands for an argument of that name."""

    argv: tuple[str, ...] = Field(min_length=1, description="Program (absolute path) and its arguments.")
    dry_run: tuple[str, ...] = Field((), description="What shows what would happen, and changes nothing.")
    state: tuple[str, ...] = Field(
        (), description="Prints absent, running, done or failed for the run in {key}."
    )
    undo: str = Field("", description="Name of the allowed command that restores what was, if one does.")
    target: str = Field("", description="What is acted on, e.g. unit/{unit}; empty: the command's name.")
    cpu_seconds: int = Field(60, ge=1, description="Processor time that it may use.")
    memory_mb: int = Field(4096, ge=16, description="Address space that it may use.")
    file_mb: int = Field(64, ge=0, description="Size of the largest file that it may write.")


class CommandExecutor(_Section):
    allow: dict[str, AllowedCommand] = Field(default_factory=dict)


class KubernetesExecutor(_Section):
    kubeconfig: Path | None = Field(
        None, description="File with the cluster's address and credentials; empty: those of the pod."
    )
    context: str = Field("", description="Context of that file; empty: its current one.")
    namespaces: tuple[str, ...] = Field((), description="Namespaces that may be acted in; empty: none.")
    nodes: bool = Field(default=False, description="Nodes may be cordoned and drained.")
    max_replicas: int = Field(20, ge=1, description="Nothing is scaled beyond this.")


class AwsExecutor(_Section):
    """Credentials are found as by every AWS client: environment, shared files, instance role."""

    region: str = Field("", description="Region, e.g. eu-central-1; empty: the client's default.")
    documents: tuple[str, ...] = Field((), description="SSM documents that may be run; empty: none.")
    max_capacity: int = Field(20, ge=1, description="No group's desired capacity is set beyond this.")


class ExecutorSettings(_Section):
    """What mitigations may act on, whatever they ask for."""

    http: HttpExecutor = HttpExecutor()
    command: CommandExecutor = CommandExecutor()
    kubernetes: KubernetesExecutor = KubernetesExecutor()
    aws: AwsExecutor = AwsExecutor()


class Settings(_Section):
    """All settings. Names, defaults and descriptions here are the reference."""

    data_dir: Path = Field(Path(".data"), description="Where the embedded parts keep their files.")
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy URL; empty: SQLite in the data directory."
    )
    redis_url: str = Field("", repr=False, description="Redis URL; empty: an embedded Redis server.")
    secret_key: SecretStr | None = Field(
        None,
        description="Key that button ids are derived from and tokens of further Slack workspaces are sealed "
        "with; embedded: made and kept in the data directory.",
    )
    environment: Literal["embedded", "production"] = Field(
        "embedded", description="production: nothing is played by the sandbox."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level logged."
    )
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal.")
    api_tokens: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Bearer tokens of the HTTP API: scope (read, write, admin) to token; 16 characters or "
        "more.",
    )
    slack: SlackSettings = SlackSettings()
    jira: JiraSettings = JiraSettings()
    zendesk: ZendeskSettings = ZendeskSettings()
    freshdesk: FreshdeskSettings = FreshdeskSettings()
    github: GithubSettings = GithubSettings()
    helpdesk: HelpdeskSettings = HelpdeskSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    prometheus: PrometheusSettings = PrometheusSettings()
    pushgateway: PushgatewaySettings = PushgatewaySettings()
    spark: SparkSettings = SparkSettings()
    mlflow: MlflowSettings = MlflowSettings()
    webhooks: WebhookSecrets = WebhookSecrets()
    generic: dict[str, GenericSource] = Field(default_factory=dict)
    roles: dict[str, Role] = Field(default_factory=dict)
    web: WebSettings = WebSettings()
    nlp: NlpSettings = NlpSettings()
    churn: ChurnSettings = ChurnSettings()
    workers: WorkerSettings = WorkerSettings()
    records: RecordSettings = RecordSettings()
    backup: BackupSettings = BackupSettings()
    limits: LimitSettings = LimitSettings()
    retention: RetentionSettings = RetentionSettings()
    executors: ExecutorSettings = ExecutorSettings()
    mitigations: tuple[dict[str, Any], ...] = Field(
        (), repr=False, description="Declared mitigations, one table each."
    )
    plugins: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False)
    disabled_plugins: tuple[str, ...] = Field((), description="Plugins that are not loaded.")

    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{(self.data_dir / 'signalbox.db').absolute()}"
