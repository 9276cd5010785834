"""What Windows tells of its processors and memory, by calls of its libraries. Written by its documentation.

It has been tried on scripted libraries and under Wine, never on a real Windows.
"""

# Where the layout of a Windows machine is from, for its facts.
TABLE_SOURCE = "GetLogicalProcessorInformationEx"
