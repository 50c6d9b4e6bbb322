if [ "$1" -eq 1 ] && command -v systemctl >/dev/null; then
    # As the machine's presets say.
    systemctl --no-reload preset scimgate.service scimgate.socket >/dev/null 2>&1 || :
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload >/dev/null 2>&1 || :
fi
