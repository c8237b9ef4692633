/** Where everything of a Dovecot is, and who asks whom. */
export interface DovecotPlace {
  /** a directory of its own */
  readonly root: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** where a version before 2.4 reads how to ask the authorization server */
  readonly oauth2File: string;
  readonly logFile: string;
  /** the ports of TLS at once, and of STARTTLS */
  readonly imaps: number;
  readonly imap: number;
  /** the ports of POP3, or undefined to serve none */
  readonly pop: { readonly pop3s: number; readonly pop3: number } | undefined;
  /** where Postfix asks about logins, in `run` of the root */
  readonly authSocket: string;
  readonly introspectionUri: string;
  readonly issuer: string;
  readonly caFile: string;
  /** whom the mail belongs to */
  readonly mail: { readonly uid: number; readonly gid: number };
  /** who starts it, unless root does */
  readonly starter: { readonly user: string; readonly group: string } | undefined;
}

/** The texts of Dovecot's files. */
export interface DovecotSettings {
  readonly main: string;
  /** a file of its own in a version before 2.4 */
  readonly oauth2: string | undefined;
}

/**
 * The configuration that a version of Dovecot wants: 2.4 names nearly everything anew.
 *
 * @param version as `dovecot --version` prints it: `2.4.1-4 (7d8c0e5759)`
 * @throws Error where it is none
 */
export function dovecotSettings(version: string, place: DovecotPlace): DovecotSettings {
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version) ?? [];
  if (major === undefined) throw new Error(`not a version of Dovecot: ${JSON.stringify(version)}`);
  if (Number(major) > 2 || Number(minor) >= 4) return { main: since24(place), oauth2: undefined };
  return { main: before24(place), oauth2: oauth2Before24(place) };
}

function before24(place: DovecotPlace): string {
  const { uid, gid } = place.mail;
  return `${common(place)}
ssl_cert = <${place.certFile}
ssl_key = <${place.keyFile}
mail_location = maildir:${place.root}/mail/%u
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${place.oauth2File}
}
userdb {
  driver = static
  args = uid=${uid} gid=${gid} home=${place.root}/mail/%u
}
`;
}

function oauth2Before24(place: DovecotPlace): string {
  return `${asking(place)}
tls_ca_cert_file = ${place.caFile}
`;
}

function since24(place: DovecotPlace): string {
  const { uid, gid } = place.mail;
  return `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
${common(place)}
ssl_server_cert_file = ${place.certFile}
ssl_server_key_file = ${place.keyFile}
mail_driver = maildir
mail_path = ${place.root}/mail/%{user}
passdb oauth2 {
  mechanisms_filter = xoauth2 oauthbearer
}
oauth2 {
${asking(place)}
ssl_client_ca_file = ${place.caFile}
}
userdb static {
  fields {
    uid = ${uid}
    gid = ${gid}
    home = ${place.root}/mail/%{user}
  }
}
`;
}

function asking(place: DovecotPlace): string {
  return `introspection_mode = post
introspection_url = ${place.introspectionUri}
username_attribute = email
active_attribute = active
active_value = true
openid_configuration_url = ${place.issuer}/.well-known/openid-configuration`;
}

/** What every version calls the same. */
function common(place: DovecotPlace): string {
  return `protocols = imap${place.pop === undefined ? "" : " pop3"}
listen = 127.0.0.1
base_dir = ${place.root}/run
state_dir = ${place.root}/state
log_path = ${place.logFile}
ssl = required
first_valid_uid = 1
auth_mechanisms = xoauth2 oauthbearer
auth_failure_delay = 0
namespace inbox {
  inbox = yes
  mailbox Sent {
    auto = create
  }
  mailbox Archive {
    auto = create
  }
}
${login("imap", place)}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener ${place.authSocket} {
    mode = 0666
  }
}
${place.pop === undefined ? "" : login("pop3", place.pop)}
${place.starter === undefined ? "" : withoutRoot(place.starter)}`;
}

function login<Name extends "imap" | "pop3">(
  name: Name,
  ports: Readonly<Record<Name | `${Name}s`, number>>,
): string {
  return `service ${name}-login {
  inet_listener ${name} {
    port = ${ports[name]}
  }
  inet_listener ${name}s {
    port = ${ports[`${name}s`]}
    ssl = yes
  }
}`;
}

function withoutRoot({ user, group }: { user: string; group: string }): string {
  return `default_internal_user = ${user}
default_internal_group = ${group}
default_login_user = ${user}
service imap-login {
  chroot =
}
service anvil {
  chroot =
}`;
}
