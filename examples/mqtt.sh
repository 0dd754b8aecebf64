#!/bin/sh
# Publishes each trigger, as JSON, on an MQTT broker (mosquitto-clients):
#
#   kwsd listen jarvis --on-trigger 'examples/mqtt.sh homeassistant.local kwsd/trigger'
exec mosquitto_pub --host "$1" --topic "$2" --stdin-file
