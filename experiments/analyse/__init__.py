"""From a plan and the warehouse's answers to a result: lock, health, statistics, verdict; asked for, computed, kept."""
