#!/bin/sh
# Lights an LED on a GPIO pin of a Raspberry Pi for two seconds (pinctrl comes with Raspberry Pi OS):
#
#   kwsd listen jarvis --on-trigger 'examples/led.sh 17'
pinctrl set "$1" op dh
sleep 2
pinctrl set "$1" dl
