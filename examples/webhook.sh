#!/bin/sh
# Sends each trigger, as JSON, to a webhook, such as that of an automation of Home Assistant:
#
#   kwsd listen jarvis --on-trigger 'examples/webhook.sh http://homeassistant.local:8123/api/webhook/ID'
exec curl --silent --show-error --fail --max-time 10 --header "Content-Type: application/json" --data @- "$1"
