# syntax=docker/dockerfile:1
FROM debian:bookworm-slim
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# A directory to try scimgate with: Debian's latest slapd is wanted, whichever that is.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ldap-utils openssl slapd \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10389 directory \
    && useradd --uid 10389 --gid 10389 --no-create-home directory \
    && install -d -o 10389 -g 10389 -m 700 /var/lib/directory
COPY config/schema/scimgate.schema /opt/scimgate/config/schema/scimgate.schema
COPY deploy/demo /opt/scimgate/deploy/demo
COPY deploy/compose/openldap.sh /opt/scimgate/deploy/compose/openldap.sh
USER 10389:10389
EXPOSE 1389
VOLUME /var/lib/directory
ENTRYPOINT ["/opt/scimgate/deploy/compose/openldap.sh"]
CMD ["/var/lib/directory", "ldap://0.0.0.0:1389"]
