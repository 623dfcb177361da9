"""Every rate of the realistic tenants, with its source.

[incidents]: published labelled incidents, as summarised in section 7 of the project's facts of the source.
[facts]: another section of those facts. [assumed]: our judgement; no published figure was found.
"""

from defender_assets.simulator.clock import HOUR, MINUTE, SECOND

SEVERITIES_OF_ATTACKS = {"High": 32, "Medium": 53, "Low": 6, "Informational": 9}
"""Percent of the alerts of an attack lab. [incidents]"""

SEVERITIES_OF_EVERYDAY = {"High": 6, "Medium": 30, "Low": 38, "Informational": 26}
"""Percent of the alerts that belong to no attack. [assumed]"""

ATTACK_SIZES = (4, 9, 9, 11, 11, 27, 48, 70)
"""Alerts of a hands-on-keyboard attack. [incidents]"""
SIZE_JITTER = (0.75, 1.25)
"""Factor on a size, uniform, so that sizes are not the eight published ones alone. [assumed]"""
LEAST_ATTACK, LARGEST_ATTACK = 4, 70
"""Bounds of a size. [incidents]"""

DEVICES_OF_ATTACK = (1, 7)
"""Devices of a hands-on-keyboard attack. [incidents: 5 devices in the largest]"""
ACCOUNTS_OF_ATTACK = (1, 4)
"""Accounts of a hands-on-keyboard attack. [assumed]"""

MEDIAN_GAP = 25 * SECOND
"""Median gap between consecutive alerts of one attack. [incidents: seconds]"""
GAP_SPREAD = 1.6
"""Sigma of the logarithm of a gap: most lie between a second and ten minutes. [assumed]"""
LONGEST_GAP = 90 * MINUTE
"""A longer gap is a pause. [assumed]"""
PAUSE = (5 * HOUR, 59 * HOUR)
"""A pause of the operator within an attack. [incidents]"""
PAUSES_OF_ATTACK = {0: 60, 1: 30, 2: 10}
"""Percent of attacks with so many pauses. [assumed]"""

SLOW_SIZES = (4, 12)
"""Alerts of a slow attack. [assumed]"""
SLOW_GAP = (3 * HOUR, 30 * HOUR)
"""Gap between consecutive steps of a slow attack. [incidents: pauses of 5 to 59 hours]"""
SLOW_STEP = (1, 3)
"""Alerts of one step of a slow attack, minutes apart. [assumed]"""

OUTBREAK_HOSTS = (6, 40)
"""Devices on which one file appears. [assumed; 18 and 40 are reported cases]"""
OUTBREAK_SPAN = (2 * MINUTE, 8 * HOUR)
"""Time from the first to the last device. [assumed]"""
OUTBREAK_PREVENTED = 0.4
"""Share of outbreaks that the antivirus stops on every device. [assumed]"""

WITHOUT_ENTITY = 0.05
"""Share of alerts without any evidence. [incidents: 1 to 16 %]"""
WITHOUT_DEVICE = 0.05
"""Share of endpoint alerts whose evidence names no device. [incidents]"""
TITLES_PER_ALERT = 0.35
"""Different titles of an attack per alert. [incidents: about one new title every three alerts]"""
EVIDENCE_ROWS = 8
"""Rows of evidence of an endpoint alert, on average. [incidents]"""

PRODUCTS_OF_ATTACK = {
    "endpoint": 72, "identity": 11, "xdr": 6, "office365": 3, "sentinel": 4, "cloud_apps": 2, "entra_id": 2,
}  # fmt: skip
"""Percent of the alerts of a hands-on-keyboard attack. [assumed, from reports]"""
PRODUCTS_OF_EVERYDAY = {
    "endpoint": 46, "office365": 18, "identity": 11, "cloud_apps": 6, "entra_id": 5, "xdr": 3, "dlp": 4, "cloud": 3,
    "sentinel": 4,
}  # fmt: skip
"""Percent of the unrelated alerts. [assumed]"""

EVERYDAY = {
    "agent": 12, "administrator": 10, "maintenance": 6, "server": 12, "scanner": 4, "wave": 4, "rollout": 0.7,
    "quarrel": 2, "ordinary": 40,
}  # fmt: skip
"""Weights of the kinds of unrelated activity; one activity can be several alerts. Benign positives are administrator,
maintenance, scanner and wave. False positives are agent, rollout and quarrel. Server and ordinary alerts are either.
[assumed; incidents: 42 % benign positive, 22 % false positive by incident, 10 to 14 % of a queue belongs to attacks]"""

STAYS_ON_DEVICE, STAYS_WITH_ACCOUNT = 0.85, 0.85
"""Probability that the next alert of an attack has the device or the account of the one before. [assumed]"""
TOOL_SHARE = 0.3
"""Share of an attack's processes and files that are its own tools; the others belong to the system or are new once.
[assumed]"""
CONTROL_SHARE = 0.2
"""Share of an attack's alerts that name its command-and-control address or host. [assumed]"""

VALUABLE_TARGET = 2.0
"""How much more often an attack reaches a device of high value, high exposure or open to the internet. [assumed]"""

VERDICTS_OF_ATTACK = {"Malicious": 18, "Suspicious": 44, "NoThreatsFound": 4, "": 34}
VERDICTS_OF_EVERYDAY = {"Malicious": 10, "Suspicious": 40, "NoThreatsFound": 9, "": 41}
"""Percent of the evidence by verdict. A verdict is Microsoft's own guess: it depends on the truth, weakly. On published
incidents a score with verdicts and states orders leads worse than severity alone. [assumed]"""
STATES_OF_ATTACK = {"Active": 42, "NotFound": 12, "Prevented": 18, "Remediated": 18, "": 10}
STATES_OF_EVERYDAY = {"Active": 40, "NotFound": 12, "Prevented": 22, "Remediated": 14, "": 12}
"""Percent of the evidence by remediation state. [assumed]"""
