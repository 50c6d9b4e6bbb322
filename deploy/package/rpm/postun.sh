if [ -d /run/systemd/system ]; then
    systemctl daemon-reload >/dev/null 2>&1 || :
    # After an upgrade. The socket, where it is open, is left as it is: connections wait in it for the new program.
    if [ "$1" -ge 1 ]; then
        systemctl try-restart scimgate.service >/dev/null 2>&1 || :
    fi
fi
if [ "$1" -eq 0 ]; then
    # cargo-generate-rpm lists files only, so their folders are nobody's.
    find /usr/share/scimgate /usr/share/doc/scimgate /usr/share/licenses/scimgate /etc/scimgate -depth -type d -empty -delete \
        2>/dev/null || :
fi
