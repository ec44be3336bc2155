"""What people do in a virtual network: patients, visits, referrals, emergencies, all of it made up.

Clinics run the release machines of the protocol, over virtual links and with small made-up records.
"""
