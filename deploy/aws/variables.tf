variable "name" {
  description = "Prefix of every resource's name."
  type        = string
  default     = "signalbox"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "The name is 3 to 20 characters: lower-case letters, digits, hyphens; a letter first."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "domain" {
  description = "Host name under which Slack and the helpdesks reach Signalbox, for example bot.example.com."
  type        = string
}

variable "certificate_arn" {
  description = "ACM certificate for the domain, in the same region."
  type        = string
}

variable "cidr" {
  description = "Address range of the VPC."
  type        = string
  default     = "10.40.0.0/16"
}

variable "zones" {
  description = "Availability zones, two or more."
  type        = list(string)
  validation {
    condition     = length(var.zones) >= 2
    error_message = "Name at least two availability zones: the balancer and the database need them."
  }
}

variable "repository" {
  description = "Name of the ECR repository that holds the images."
  type        = string
  default     = "signalbox"
}

variable "image_tag" {
  description = "Tag that the first colour starts with; later ones are set by release.py."
  type        = string
}

variable "web" {
  description = "Instance type and number of the web nodes (of the live colour)."
  type        = object({ type = optional(string, "t3.small"), least = optional(number, 2), most = optional(number, 6) })
  default     = {}
}

variable "workers" {
  description = "Instance type and number of the worker nodes (of the live colour)."
  type        = object({ type = optional(string, "c7i.large"), least = optional(number, 1), most = optional(number, 4) })
  default     = {}
}

variable "database_class" {
  description = "RDS instance class."
  type        = string
  default     = "db.t4g.medium"
}

variable "cache_type" {
  description = "ElastiCache node type."
  type        = string
  default     = "cache.t4g.small"
}

variable "database_password" {
  description = "Password of PostgreSQL, 32 letters and digits or more. Goes to RDS and Secrets Manager, never into the state; read only when its version is raised."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = null
  validation {
    condition     = var.database_password == null || can(regex("^[A-Za-z0-9]{32,}$", var.database_password))
    error_message = "The password is 32 or more letters and digits: it becomes part of a URL."
  }
}

variable "database_password_version" {
  description = "Raise it together with a new database_password."
  type        = number
  default     = 1
}

variable "redis_auth_token" {
  description = "Password of Redis, 16 to 128 characters; it is in the state, which is encrypted."
  type        = string
  sensitive   = true
  validation {
    condition     = length(var.redis_auth_token) >= 16 && can(regex("^[A-Za-z0-9]+$", var.redis_auth_token))
    error_message = "The token is 16 or more letters and digits: it becomes part of a URL."
  }
}

variable "mitigation_policy_arns" {
  description = "Policies of your own that let workers carry out [[mitigations]] of the aws executor; none by default."
  type        = list(string)
  default     = []
}

variable "alarm_topic_arn" {
  description = "SNS topic that hears of alarms; none by default."
  type        = string
  default     = null
}

locals {
  colours = toset(["blue", "green"])
  # The colour that takes traffic on the first apply. release.py moves it, and Terraform leaves it alone then.
  first   = "blue"
  groups  = { for pair in setproduct(["web", "workers"], ["blue", "green"]) : "${pair[0]}-${pair[1]}" => { role = pair[0], colour = pair[1] } }
  sizes   = { web = var.web, workers = var.workers }
  alarms  = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
  account = data.aws_caller_identity.current.account_id
  arn     = "arn:${data.aws_partition.current.partition}"
}
